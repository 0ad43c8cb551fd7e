"""The folder `corrected/` that `weclip review` and `weclip import-masks` write: what is in it.

    corrected/
      masks/NAME.png    class ids of an image as a palette PNG; sub-folders are kept; 255 is ignored
      tags.csv          image,tags: the tags of an image whose tags were corrected or accepted
      classes.yaml      the class list, with new and renamed classes (`class_list.py`)
      log.jsonl         what was done, one line each (`log.py`)

Stage 1. The log decides what an image is: by its last `accept`, `reject` or `open`, each of which
an edit (`mask`, `tags`) after it takes back, so that what is accepted is exactly what was seen.
`skip` says nothing of an image that is accepted or rejected.

- Accepted: mask and tags count as true; both files have it.
- Rejected: the image leaves the training.
- Otherwise: corrected tags count; a mask does not, since it may be half drawn.

An edit writes its line first and its file last, a decision its files first: killed between the two,
an image may be open though nothing changed, and never accepted with a mask that nobody accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from weclip.data.classes import CLASSES_FILE, ClassList
from weclip.data.corrections.class_list import read_classes, with_old_names
from weclip.data.corrections.log import EDITS, LOG_NAME, Action, read_log
from weclip.data.images.file_names import nfc
from weclip.data.images.image_kinds import is_image
from weclip.data.tags.tags_file import read_tags_file
from weclip.system.errors import InputError
from weclip.system.untrusted.files import is_file, is_folder

TAGS_NAME = "tags.csv"
MASKS = "masks"
FOLDER = "corrected"
"""Its name in the folder that is reviewed."""

Tags = tuple[int, ...]


@dataclass(frozen=True)
class Correction:
    """What a person said of one image.

    Attributes:
        decision: `open`, `accept`, `reject` or `skip`.
        tags: Sorted 0-based class indices that are right; None: not corrected.
        mask: The corrected mask; None: not corrected. True only of an accepted image.
        version: How many actions there were; the next is refused if it knows fewer.
    """

    decision: str = "open"
    tags: Tags | None = None
    mask: Path | None = None
    version: int = 0

    @property
    def accepted(self) -> bool:
        """Whether mask and tags count as true."""
        return self.decision == "accept"

    @property
    def rejected(self) -> bool:
        """Whether the image leaves the training."""
        return self.decision == "reject"


UNTOUCHED = Correction()


@dataclass(frozen=True)
class Corrections:
    """All that a folder says.

    Attributes:
        folder: The folder.
        classes: Its classes: the data's, renamed ones among them, and new ones after them.
        images: Name (with `/`, no suffix) -> what was said of it; others are untouched.
    """

    folder: Path
    classes: ClassList
    images: Mapping[str, Correction] = field(default_factory=dict)

    def of(self, name: str) -> Correction:
        """What was said of an image."""
        return self.images.get(name, UNTOUCHED)

    @property
    def files(self) -> list[Path]:
        """What decides a training: the table of tags, the classes, the log, accepted masks."""
        own = [self.folder / name for name in (CLASSES_FILE, LOG_NAME, TAGS_NAME)]
        masks = [each.mask for each in self.images.values() if each.accepted and each.mask]
        return [*filter(is_file, own), *sorted(masks)]


def read_corrections(folder: Path, classes: ClassList) -> Corrections:
    """Read a folder of corrections; no mask is opened.

    Args:
        folder: The folder.
        classes: Class list of the data that were corrected.

    Raises:
        InputError: There is no such folder, it was made for other classes, a file in it is not what
            it should be, or the mask of an accepted image is missing.
    """
    if not is_folder(folder) or not (is_file(folder / LOG_NAME) or is_file(folder / TAGS_NAME)):
        raise InputError(
            f"{folder}: no corrections here; give the folder corrected/ that weclip review or "
            "weclip import-masks wrote"
        )
    log = read_log(folder)
    found = read_classes(folder, classes, log)
    images = replay(log, folder)
    for name, (_, tags) in read_tags(folder, found, log).items():
        images[name] = replace(images.get(name, UNTOUCHED), tags=tags)
    for name, each in images.items():
        if each.accepted and (each.mask is None or not is_file(each.mask)):
            raise InputError(
                f"{folder / MASKS / name}.png: the mask of an accepted image is missing; open the "
                "image in weclip review and accept it again"
            )
    return Corrections(folder, found, images)


def replay(log: Sequence[Action], folder: Path) -> dict[str, Correction]:
    """What a log says of each image; tags are elsewhere."""
    images: dict[str, Correction] = {}
    for action in log:
        if action.image is not None:
            before = images.get(action.image, UNTOUCHED)
            images[action.image] = after(before, action, folder)
    return images


def after(before: Correction, action: Action, folder: Path) -> Correction:
    """What an image is after an action; its tags stay."""
    decision, mask = action.action, before.mask
    if action.action in EDITS:
        decision = "open"
    elif action.action == "skip" and before.decision in ("accept", "reject"):
        decision = before.decision
    if action.action in ("mask", "accept"):
        mask = mask_path(folder, str(action.image))
    return replace(before, decision=decision, mask=mask, version=before.version + 1)


def mask_path(folder: Path, name: str) -> Path:
    """Where the corrected mask of an image is, whose name stays in the folder."""
    return folder / MASKS / f"{name}.png"


def read_tags(
    folder: Path, classes: ClassList, log: Sequence[Action]
) -> dict[str, tuple[str, Tags]]:
    """The table of tags: name of an image -> its file as it is named, 0-based class indices.

    Raises:
        InputError: As `read_tags_file`.
    """
    path = folder / TAGS_NAME
    if not is_file(path):
        return {}
    known, index = with_old_names(classes, log)
    rows = read_tags_file(path, known).rows
    return {
        _name(row.image): (row.image, tuple(sorted({index[tag] for tag in row.tags})))
        for row in rows
    }


def _name(file: str) -> str:
    """The name of an image that a table names with its suffix.

    >>> _name("beach/1.v2.jpg"), _name("beach/1.v2")
    ('beach/1.v2', 'beach/1.v2')
    """
    return nfc(PurePosixPath(file).with_suffix("").as_posix() if is_image(file) else file)
