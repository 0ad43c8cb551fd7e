"""Writing to `corrected/` (`folder.py` has the format): every action at once, whole or not at all.

Stage 1. One process holds the folder by a lock; its threads take turns. Whoever acts says which
version of the image they saw, so nobody overwrites what they have not seen.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.bands import ids_in
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.corrections.class_list import (
    read_classes,
    with_new,
    with_renamed,
    write_classes,
)
from weclip.data.corrections.folder import (
    TAGS_NAME,
    UNTOUCHED,
    Correction,
    Corrections,
    Tags,
    after,
    mask_path,
    read_tags,
    replay,
)
from weclip.data.corrections.log import CLASS, DECISIONS, Action, append, cut_half_line, read_log
from weclip.data.masks.mask_files import save_mask
from weclip.system.files import remove_temporaries, write_text
from weclip.system.locks import working_in

Mask = NDArray[np.uint8]


class StaleError(Exception):
    """Somebody else changed the image, or the classes, since this version of it was seen."""


@dataclass(frozen=True)
class Accepted:
    """An image whose mask and tags are right.

    Attributes:
        image: Its name and file.
        tags: 0-based class indices.
        mask: (H, W) uint8 class ids; 255 is ignored.
    """

    image: TaggedImage
    tags: Tags
    mask: Mask


class Writer:
    """The one writer of a folder; made by `open_for_writing`."""

    def __init__(self, folder: Path, classes: ClassList) -> None:
        log = read_log(folder)
        self.folder = folder
        self.classes = read_classes(folder, classes, log)
        self._turn = RLock()
        self._images = replay(log, folder)
        self.classes_version = sum(action.action == CLASS for action in log)
        self._files: dict[str, str] = {}
        for name, (file, tags) in read_tags(folder, self.classes, log).items():
            self._files[name] = file
            self._images[name] = replace(self.of(name), tags=tags)

    def of(self, name: str) -> Correction:
        """What was said of an image so far."""
        return self._images.get(name, UNTOUCHED)

    @property
    def corrections(self) -> Corrections:
        """All that was said so far."""
        with self._turn:
            return Corrections(self.folder, self.classes, dict(self._images))

    def edit_mask(self, image: TaggedImage, mask: Mask, *, seen: int) -> Correction:
        """Save a mask that is being corrected; the image is open again.

        Args:
            image: The image.
            mask: (H, W) uint8 class ids, 255 for ignored.
            seen: Version that the person saw.

        Raises:
            StaleError: There is a newer version.
            WriteError: It cannot be written.
        """
        with self._turn:
            self._require_seen(image, seen)
            now = self._log(image, "mask", self._names_in(mask))
            save_mask(mask, mask_path(self.folder, image.name), self.classes.palette)
            return now

    def edit_tags(self, image: TaggedImage, tags: Sequence[int], *, seen: int) -> Correction:
        """Save an image's tags, 0-based class indices; errors as `edit_mask`."""
        with self._turn:
            self._require_seen(image, seen)
            self._log(image, "tags", self._names_of(tags))
            self._set_tags(image, tags)
            self._write_tags()
            return self.of(image.name)

    def decide(self, image: TaggedImage, decision: str, *, seen: int) -> Correction:
        """Save `reject`, `skip` or `open`; errors as `edit_mask`."""
        if decision not in DECISIONS or decision == "accept":
            raise ValueError(f"'{decision}' is no such decision")
        with self._turn:
            self._require_seen(image, seen)
            return self._log(image, decision, None)

    def accept(self, accepted: Accepted, *, seen: int) -> Correction:
        """Save mask and tags as true; errors as `edit_mask`."""
        with self._turn:
            self._require_seen(accepted.image, seen)
            self.accept_all([accepted])
            return self.of(accepted.image.name)

    def accept_all(self, accepted: Sequence[Accepted]) -> None:
        """Save mask and tags of many images as true, whatever they were before."""
        with self._turn:
            for each in accepted:
                path = mask_path(self.folder, each.image.name)
                save_mask(each.mask, path, self.classes.palette)
                self._set_tags(each.image, each.tags)
            self._write_tags()
            lines = [
                Action(each.image.name, "accept", self._names_of(each.tags)) for each in accepted
            ]
            append(self.folder, lines)
            for each, line in zip(accepted, lines, strict=True):
                self._images[each.image.name] = after(self.of(each.image.name), line, self.folder)

    def add_class(self, name: str, *, seen: int) -> ClassList:
        """Save a new class, which has the next id.

        Raises:
            InputError: The name is taken or cannot be one.
            StaleError: There is a newer list than the one `seen`, a value of `classes_version`.
        """
        with self._turn:
            return self._classes(with_new(self.classes, name), seen, {"name": name})

    def rename_class(self, class_id: int, name: str, *, seen: int) -> ClassList:
        """Save another name for a class; errors as `add_class`."""
        with self._turn:
            new = with_renamed(self.classes, class_id, name)
            was = self.classes.names[class_id - 1]
            found = self._classes(new, seen, {"id": class_id, "was": was, "name": name})
            self._write_tags()
            return found

    def _classes(self, new: ClassList, seen: int, what: dict[str, Any]) -> ClassList:
        if seen != self.classes_version:
            raise StaleError("the classes")
        append(self.folder, [Action(None, CLASS, {"id": len(new.names)} | what)])
        self.classes_version += 1
        write_classes(self.folder, new)
        self.classes = new
        return new

    def _require_seen(self, image: TaggedImage, seen: int) -> None:
        if seen != self.of(image.name).version:
            raise StaleError(image.name)

    def _log(self, image: TaggedImage, action: str, what: Any) -> Correction:
        line = Action(image.name, action, what)
        append(self.folder, [line])
        now = self._images[image.name] = after(self.of(image.name), line, self.folder)
        return now

    def _set_tags(self, image: TaggedImage, tags: Sequence[int]) -> None:
        self._files[image.name] = f"{image.name}{image.path.suffix}"
        self._images[image.name] = replace(self.of(image.name), tags=tuple(sorted(set(tags))))

    def _write_tags(self) -> None:
        """The whole table, sorted by name."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("image", "tags"))
        rows = [(name, each.tags) for name, each in self._images.items() if each.tags is not None]
        for name, tags in sorted(rows):
            writer.writerow((self._files[name], ";".join(self._names_of(tags))))
        if rows:
            write_text(self.folder / TAGS_NAME, text.getvalue())

    def _names_of(self, tags: Sequence[int]) -> list[str]:
        return [self.classes.names[tag] for tag in sorted(set(tags))]

    def _names_in(self, mask: Mask) -> list[str]:
        shown = (i for i in ids_in(mask) if 0 < i < self.classes.num_classes)
        return [self.classes.names[i - 1] for i in shown]


@contextmanager
def open_for_writing(folder: Path, classes: ClassList, what: str) -> Iterator[Writer]:
    """Hold a folder of corrections, made if needed, and write to it.

    Args:
        folder: The folder `corrected`.
        classes: Class list of the data.
        what: What is done, for whom it is refused to, such as `review`.

    Raises:
        InputError: Another process holds it, or it was made for other classes.
    """
    with working_in(folder, what, option="corrections"):
        remove_temporaries(folder)
        cut_half_line(folder)
        writer = Writer(folder, classes)
        write_classes(folder, writer.classes)
        yield writer
