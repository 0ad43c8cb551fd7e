"""PASCAL VOC layout: split lists, JPEGImages, XML annotations, masks.

Stage 1. Expected below the root, or below VOCdevkit/VOC2012 in it:

    ImageSets/Segmentation/<split>.txt    one image name per line
    JPEGImages/<name>.jpg                 any common image suffix
    Annotations/<name>.xml                tags; not needed with a tags file
    SegmentationClass/<name>.png          evaluation only
    SegmentationClassAug/<name>.png       used for split train_aug, if the folder is there
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.file_names import nfc
from weclip.data.images.image_kinds import IMAGE_SUFFIXES, is_image
from weclip.data.images.listing import (
    AUTO,
    find_root,
    find_tags_file,
    list_files,
    require_files,
    unknown_split,
)
from weclip.data.masks.mask_labels import mask_labels
from weclip.data.summary import BY_CLIP, Holdings, Origins
from weclip.data.tags.annotations import read_voc_tags
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import read_tags_by_name
from weclip.system.errors import InputError
from weclip.system.untrusted.files import MAX_TABLE, read_text

_LISTS = "ImageSets/Segmentation"
_INSIDE = ("VOCdevkit/VOC2012", "VOC2012")
_OWN = frozenset(
    "Annotations ImageSets SegmentationClass SegmentationClassAug SegmentationObject "
    "SegmentationObjectAug".split()
)
"""Folders of the layout, none of whose files needs to be read."""


@dataclass(frozen=True)
class Voc:
    """A VOC folder as data set.

    Attributes:
        root: The folder, or one that holds it.
        classes: The class list that tags are looked up in.
        tags_file: Tags file in place of the annotations, or `auto`.
        choice: How a tags file is read.
    """

    root: str | Path
    classes: ClassList
    tags_file: str | Path | None = None
    choice: TagsChoice = DEFAULT_CHOICE

    @cached_property
    def folder(self) -> Path:
        """The folder with the layout."""
        return find_root(self.root, _INSIDE, _LISTS, "VOC")

    def read_split(self, split: str) -> list[TaggedImage]:
        """Read the images and tags of one split, in the list's order; no mask folder is touched.

        Raises:
            InputError: A folder, split, image or annotation is missing, or a tag is unknown.
        """
        images = _split_images(self.folder, split)
        tags: dict[str, tuple[int, ...]]
        if self.tags_file == AUTO:
            tags = dict.fromkeys(images, ())
        elif self.tags_file is None:
            place = self.folder / "Annotations"
            annotations = list_files(place, "annotation folder", {".xml"})
            require_files(list(images), annotations, "annotations", str(place))
            tags = {name: read_voc_tags(annotations[name], self.classes) for name in images}
        else:
            path = find_tags_file(self.tags_file, self.root)
            tags = read_tags_by_name(path, self.classes, self.choice)
            require_files(list(images), tags, f"images of split '{split}'", str(path))
        return [TaggedImage(name, path, tags[name]) for name, path in images.items()]

    def read_masked_split(self, split: str) -> list[MaskedImage]:
        """Read the images and masks of one split, in the list's order, with tags if there are any.

        Raises:
            InputError: A folder, split, image or mask is missing, or a tag is unknown.
        """
        images = _split_images(self.folder, split)
        mask_folder = self.mask_folder(split)
        masks = list_files(mask_folder, "mask folder", {".png"})
        require_files(list(images), masks, "masks", str(mask_folder))
        tags: dict[str, tuple[int, ...]] = {}
        if self.tags_file is not None and self.tags_file != AUTO:
            path = find_tags_file(self.tags_file, self.root)
            tags = read_tags_by_name(path, self.classes, self.choice)
        elif self.tags_file is None and (self.folder / "Annotations").is_dir():
            annotations = list_files(self.folder / "Annotations", "annotation folder", {".xml"})
            tags = {
                name: read_voc_tags(annotations[name], self.classes)
                for name in images
                if name in annotations
            }
        labels = mask_labels(self.classes)
        return [
            MaskedImage(name, path, masks[name], tags.get(name), labels)
            for name, path in images.items()
        ]

    def mask_folder(self, split: str) -> Path:
        """The folder of a split's masks."""
        added = self.folder / "SegmentationClassAug"
        if split == "train_aug" and added.is_dir():
            return added
        return self.folder / "SegmentationClass"

    def origins(self, split: str) -> Origins:
        """Where its parts come from, for people."""
        tags = str(self.folder / "Annotations")
        if self.tags_file is not None:
            auto = self.tags_file == AUTO
            tags = BY_CLIP if auto else str(find_tags_file(self.tags_file, self.root))
        images, lists = self.folder / "JPEGImages", self.folder / _LISTS
        return Origins(str(images), tags, str(lists), str(self.mask_folder(split)))

    def holdings(self) -> Holdings:
        """Which of its files something reads; images outside of the lists are part of VOC."""
        images = list_files(self.folder / "JPEGImages", "image folder", IMAGE_SUFFIXES)
        folders = [self.mask_folder(split) for split in ("val", "train_aug")]
        known = []
        if self.tags_file is not None and self.tags_file != AUTO:
            known.append(find_tags_file(self.tags_file, self.root))
        return Holdings(
            (self.folder,),
            images=frozenset(images.values()),
            masks={path: frozenset(images) for path in folders if path.is_dir()},
            known=frozenset(known),
            chosen=self.tags_file is not None,
            own=_OWN,
        )


def _split_images(folder: Path, split: str) -> dict[str, Path]:
    """Return name -> image file for the names of a split list."""
    path = folder / _LISTS / f"{split}.txt"
    if not path.is_file():
        available = [file.stem for file in (folder / _LISTS).glob("*.txt")]
        raise unknown_split(split, available, str(folder / _LISTS))
    first_lines: dict[str, int] = {}
    for line, name in enumerate(read_text(path, "split list", MAX_TABLE).splitlines(), 1):
        name = nfc(name.strip())
        if name and first_lines.setdefault(name, line) != line:
            raise InputError(
                f"{path}, line {line}: '{name}' is already on line {first_lines[name]}"
            )
    if not first_lines:
        raise InputError(f"{path}: the split list is empty")
    files = list_files(folder / "JPEGImages", "image folder", IMAGE_SUFFIXES)
    for name, line in first_lines.items():
        if name not in files and (is_image(name) or set(name) & {" ", "/"}):
            raise InputError(
                f"{path}, line {line}: '{name}' is no image name; write one name a line, without "
                "folder and suffix"
            )
    require_files(list(first_lines), files, f"images of {path.name}", str(folder / "JPEGImages"))
    return {name: files[name] for name in first_lines}
