"""The door to stage 1: a split of a data set in any known layout, as a list of samples.

`read_split` is all that training sees and has no way to a mask; `read_masked_split` is for
evaluation. Images are not decoded here, only checked to exist.
"""

from pathlib import Path
from typing import Protocol

from weclip.data import coco, folder, voc
from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.errors import InputError, did_you_mean


class Layout(Protocol):
    """What a data set layout provides: a module with these two functions."""

    def read_split(
        self,
        root: str | Path,
        classes: ClassList,
        split: str,
        tags_file: str | Path | None = None,
    ) -> list[TaggedImage]:
        """Read a split for training."""

    def read_masked_split(
        self,
        root: str | Path,
        classes: ClassList,
        split: str,
        tags_file: str | Path | None = None,
    ) -> list[MaskedImage]:
        """Read a split for evaluation."""


LAYOUTS: dict[str, Layout] = {"voc": voc, "coco": coco, "folder": folder}


def read_split(
    format: str,
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
) -> list[TaggedImage]:
    """Read a split for training: images and tags. No mask folder is touched.

    Args:
        format: Layout of the data set: `voc`, `coco` or `folder`, see the module of that name.
        root: Folder of the data set.
        classes: The class list that tags are looked up in.
        split: Name of the split.
        tags_file: CSV or JSONL with tags (see `tags.py`), as given or relative to `root`, in place
            of the layout's own annotations.

    Raises:
        InputError: Anything missing, unknown or inconsistent; the message names the file.
    """
    return _layout(format).read_split(root, classes, split, tags_file)


def read_masked_split(
    format: str,
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
) -> list[MaskedImage]:
    """Read a split for evaluation: images, masks and, where there are any, tags.

    Arguments and errors as in `read_split`.
    """
    return _layout(format).read_masked_split(root, classes, split, tags_file)


def read_eval_split(
    format: str,
    root: str | Path,
    classes: ClassList,
    split: str | None,
    tags_file: str | Path | None = None,
) -> tuple[list[MaskedImage], str | None]:
    """Read the split that training scores on, which it can do without.

    Returns:
        Its samples, none if there is no split or it cannot be used; and why it cannot.
    """
    if split is None:
        return [], None
    try:
        return read_masked_split(format, root, classes, split, tags_file), None
    except InputError as error:
        return [], str(error)


def unlisted_images(
    format: str, root: str | Path, classes: ClassList, tags_file: str | Path | None
) -> list[str]:
    """Images in the format `folder` that its tags file does not name, in any split.

    The other formats have none to tell: VOC and COCO themselves hold images outside their lists.
    """
    if format != "folder":
        return []
    return folder.unlisted_images(root, classes, tags_file)


def _layout(format: str) -> Layout:
    if format not in LAYOUTS:
        hint = did_you_mean(format, LAYOUTS)
        known = ", ".join(LAYOUTS)
        raise InputError(f"data.format: unknown format '{format}'; known: {known}. {hint}".strip())
    return LAYOUTS[format]
