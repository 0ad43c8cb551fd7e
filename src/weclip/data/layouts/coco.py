"""COCO 2014 layout: image and mask folders per split, tags from the instances files.

Stage 1. Expected below the root, or below MSCOCO in it:

    JPEGImages/<split>/COCO_<split>2014_<id>.jpg
    SegmentationClass/<split>/<id>.png         evaluation only; the COCO_ prefix is accepted
    annotations/instances_<split>2014.json     tags; not needed with a tags file

A split is every image that has at least one tag, as in the lists of the released code; where CLIP
makes the tags, every image, or for evaluation every image with a mask.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.file_names import bare_name, nfc
from weclip.data.images.image_kinds import IMAGE_SUFFIXES
from weclip.data.images.listing import (
    AUTO,
    find_root,
    find_tags_file,
    list_files,
    require_files,
    unknown_split,
)
from weclip.data.images.tree import existing_folders
from weclip.data.masks.mask_labels import mask_labels
from weclip.data.summary import BY_CLIP, Holdings, Origins
from weclip.data.tags.annotations import read_coco_tags
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import read_tags_by_name
from weclip.system.errors import InputError


@dataclass(frozen=True)
class Coco:
    """A COCO folder as data set.

    Attributes:
        root: The folder, or one that holds it.
        classes: The class list that tags are looked up in.
        tags_file: Tags file in place of the instances files, or `auto`.
        choice: How a tags file is read.
    """

    root: str | Path
    classes: ClassList
    tags_file: str | Path | None = None
    choice: TagsChoice = DEFAULT_CHOICE

    @cached_property
    def folder(self) -> Path:
        """The folder with the layout."""
        return find_root(self.root, ("MSCOCO",), "JPEGImages", "COCO")

    def read_split(self, split: str) -> list[TaggedImage]:
        """Read the images and tags of one split, by name; no mask folder is touched.

        Raises:
            InputError: A folder, split, image or annotation file is missing, or a tag is unknown.
        """
        images = _list_images(self.folder, split)
        if self.tags_file == AUTO:
            return [TaggedImage(file.stem, file, ()) for file in images.values()]
        where = self.folder / "JPEGImages" / split
        path = self._tags_path(split)
        if self.tags_file is None:
            found = read_coco_tags(path, self.classes)
            tags = {bare_name(name): tags for name, tags in found.items()}
            require_files(list(tags), images, "annotated images", str(where))
        else:
            rows = read_tags_by_name(path, self.classes, self.choice).items()
            tags = {bare_name(name): tags for name, tags in rows if tags}
        samples = [
            TaggedImage(file.stem, file, tags[key]) for key, file in images.items() if key in tags
        ]
        if not samples:
            raise InputError(f"{path}: no image of {where} has tags in it")
        return samples

    def read_masked_split(self, split: str) -> list[MaskedImage]:
        """Read the images, masks and tags of one split, by name.

        Raises:
            InputError: As `read_split`, or a mask is missing.
        """
        samples = self.read_split(split)
        mask_folder = self.folder / "SegmentationClass" / split
        files = list_files(mask_folder, "mask folder", {".png"})
        masks = {bare_name(name): file for name, file in files.items()}
        auto = self.tags_file == AUTO
        ids = {sample.name: bare_name(sample.name) for sample in samples}
        if auto and masks.keys() & ids.values():
            samples = [sample for sample in samples if ids[sample.name] in masks]
            ids = {sample.name: ids[sample.name] for sample in samples}
        require_files(list(ids.values()), masks, "masks", str(mask_folder))
        labels = mask_labels(self.classes)
        return [
            MaskedImage(s.name, s.path, masks[ids[s.name]], None if auto else s.tags, labels)
            for s in samples
        ]

    def origins(self, split: str) -> Origins:
        """Where its parts come from, for people."""
        tags = BY_CLIP if self.tags_file == AUTO else str(self._tags_path(split))
        images = self.folder / "JPEGImages"
        return Origins(str(images), tags, "", str(self.folder / "SegmentationClass" / split))

    def holdings(self) -> Holdings:
        """Which of its files something reads; images without an annotation are part of COCO."""
        images = self.folder / "JPEGImages"
        splits = list(existing_folders(images))
        files = {split: _list_images(self.folder, split) for split in splits}
        masks = {
            self.folder / "SegmentationClass" / split: frozenset(
                each for id, file in found.items() for each in (id, nfc(file.stem))
            )
            for split, found in files.items()
            if (self.folder / "SegmentationClass" / split).is_dir()
        }
        known = []
        if self.tags_file is not None and self.tags_file != AUTO:
            known.append(find_tags_file(self.tags_file, self.root))
        return Holdings(
            (self.folder,),
            images=frozenset(path for found in files.values() for path in found.values()),
            masks=masks,
            known=frozenset(known),
            chosen=self.tags_file is not None,
            own=frozenset({"annotations", "SegmentationClass"}),
        )

    def _tags_path(self, split: str) -> Path:
        """The file that tells the tags of a split."""
        if self.tags_file is not None:
            return find_tags_file(self.tags_file, self.root)
        return self.folder / "annotations" / f"instances_{split}2014.json"


def _list_images(folder: Path, split: str) -> dict[str, Path]:
    """Return image id -> file of one split's folder."""
    images = folder / "JPEGImages"
    available = list(existing_folders(images))
    if split not in available:
        raise unknown_split(split, available, str(images))
    files = list_files(images / split, "image folder", IMAGE_SUFFIXES)
    return {bare_name(name): file for name, file in files.items()}
