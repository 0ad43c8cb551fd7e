"""Where the parts of a user's own data set are: by convention, or as `dataset.yaml` says.

Stage 1, for the format `folder`. All keys may be left out; paths are relative to the file, and
`~` is your home:

    images: pictures                   # folder of the images; default: the folder of this file
    tags: tags.csv                     # default: a file of `TAGS_FILES`, also one for each split
                                       # in its folder; or folders tell the tags
    classes: [cat, {name: dog, prompt: dog hound}]   # or a file, or voc or coco
    background_words: [grass, sky]     # default: those of the class list
    masks: drawn                       # default: masks/ in the folder of the images
    mask_labels: {7: cat, '#FFFFFF': ignore}         # see `mask_labels.py`
    split: {val: 0.2, seed: 0}         # instead of a column `split`
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weclip.data.classes import check_keys
from weclip.data.images.file_names import require_usable
from weclip.data.images.listing import existing_folder, find_tags_file
from weclip.data.images.tree import existing_folders
from weclip.data.layouts.folder_names import part_of
from weclip.data.layouts.split_names import same_split
from weclip.data.layouts.split_ratio import SplitRatio
from weclip.system.errors import InputError
from weclip.system.files import at_home
from weclip.system.untrusted.documents import read_yaml
from weclip.system.untrusted.files import is_file
from weclip.system.untrusted.text import short

FILE_NAME = "dataset.yaml"
TAGS_FILES = (
    "tags.csv tags.jsonl metadata.csv metadata.jsonl labels.json annotations.xml "
    "_annotations.coco.json _classes.csv".split()
)
MASKS = "masks"
_KEYS = ("images", "tags", "classes", "background_words", "masks", "mask_labels", "split")
_SPLIT_KEYS = ("val", "seed")


@dataclass(frozen=True)
class Description:
    """A plain folder's parts.

    Attributes:
        origin: The description file, or the folder if there is none; errors start with it.
        folder: The folder of the file, which paths in it are relative to.
        images: Folder of the images; their names are relative to it.
        tags: Tags file; None if folders tell the tags, or each split has its own file.
        split_tags: Tags files of the splits, each in the folder of its split; their images are
            named relative to it.
        chosen: Whether the tags file was named, and not found by its usual name.
        masks: Folder of masks, `<image without suffix>.png`; need not exist.
        reserved: That folder relative to the images, where no image may be; None if elsewhere.
        classes: As the file gives it: the path of a list, a shipped name, a list, or None.
        background_words: As the file gives them.
        mask_labels: As the file gives them.
        ratio: How the images are split, if not by a column or by folders.
    """

    origin: Path
    folder: Path
    images: Path
    tags: Path | None
    masks: Path
    reserved: str | None
    classes: str | list[Any] | None = None
    background_words: Any = None
    mask_labels: Any = None
    ratio: SplitRatio | None = None
    split_tags: tuple[Path, ...] = ()
    chosen: bool = False

    @property
    def tables(self) -> tuple[Path, ...]:
        """All tags files; none if folders tell the tags."""
        return self.split_tags if self.tags is None else (self.tags,)


def describe(root: str | Path, tags_file: str | Path | None = None) -> Description:
    """Find the parts of the data set at `root`. Of the images' folders only the names are listed.

    Args:
        root: A folder, which may hold `dataset.yaml`, or such a file under any name.
        tags_file: Tags file that replaces the described one: as given, or relative to `root`.

    Raises:
        InputError: The root or something that the file names is missing, the file is malformed,
            or a folder or a link that leads nowhere stands in the place of a file.
    """
    require_usable(root)
    file = Path(root)
    if file.is_dir() or file.suffix.lower() not in (".yaml", ".yml"):
        file = existing_folder(root, "data root") / FILE_NAME
    elif not is_file(file):
        raise InputError(f"{root}: data root not found; give a folder of images or a {FILE_NAME}")
    document = _read(file) if is_file(file) else {}
    images = _path(document, "images", file)
    if images is not None:
        existing_folder(images, f"{file}: images: folder")
    images = images or file.parent
    masks = _path(document, "masks", file) or images / MASKS
    # Not resolved: a mask folder that is a link inside the images' folder must be found there.
    inside = os.path.relpath(masks, images)
    if not {*Path(inside).parts} - {".."}:
        raise InputError(f"{file}: masks: {masks} holds the images too; keep masks by themselves")
    reserved = None if Path(inside).parts[0] == ".." else Path(inside).as_posix()
    tags = _tags(document, file, images, tags_file)
    return Description(
        origin=file if file.is_file() else file.parent,
        folder=file.parent,
        images=images,
        tags=tags,
        split_tags=_split_tags(images, reserved) if tags is None else (),
        chosen=tags_file is not None or "tags" in document,
        masks=masks,
        reserved=reserved,
        classes=_classes(document, file),
        background_words=document.get("background_words"),
        mask_labels=document.get("mask_labels"),
        ratio=_ratio(document, file),
    )


def _read(file: Path) -> dict[str, Any]:
    document = read_yaml(file, "description of the data")
    if not isinstance(document, dict | None):
        raise InputError(f"{file}: must hold keys and values, such as 'images: pictures'")
    check_keys(document or {}, _KEYS, str(file))
    return {key: value for key, value in (document or {}).items() if value is not None}


def _path(document: Mapping[str, Any], key: str, file: Path) -> Path | None:
    """The path under a key, relative to the file's folder unless it is absolute."""
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{file}: {key}: {short(value)} is no path; write a text")
    require_usable(value, f"{file}: {key}")
    return file.parent / at_home(value.strip())


def _tags(
    document: Mapping[str, Any], file: Path, images: Path, tags_file: str | Path | None
) -> Path | None:
    """The tags file: the one given, the described one, or the first of `TAGS_FILES`, or None."""
    if tags_file is not None:
        return find_tags_file(tags_file, file.parent)
    path = _path(document, "tags", file)
    if path is not None and not is_file(path):
        raise InputError(f"{file}: tags: file {path} not found")
    return path or _usual_file(file.parent) or _usual_file(images)


def _usual_file(folder: Path) -> Path | None:
    """The first of `TAGS_FILES` in a folder."""
    return next((folder / name for name in TAGS_FILES if is_file(folder / name)), None)


def image_folders(images: Path, reserved: str | None, split: str | None = None) -> list[str]:
    """Folders that split or image folders by name are, two deep, such as `images/train`.

    Args:
        images: Where they are sought; paths are relative to it.
        reserved: The mask folder, which is none of them.
        split: Only those of this split, and those of none; None: all.
    """
    found: list[str] = []
    for base in ("", *_named_folders(images, "", reserved, split)):
        found += _named_folders(images, base, reserved, split)
    return list(dict.fromkeys(found))


def _named_folders(images: Path, base: str, reserved: str | None, split: str | None) -> list[str]:
    paths = [f"{base}/{name}" if base else name for name in existing_folders(images / base)]
    parts = [(path, part_of(path.rpartition("/")[2])) for path in paths if path != reserved]
    return [
        path
        for path, part in parts
        if part is not None
        and part.role != "other"
        and (None in (split, part.split) or same_split(str(split), str(part.split)))
    ]


def _split_tags(images: Path, reserved: str | None) -> tuple[Path, ...]:
    """The tags files in folders of splits, or in a folder `images` and the like."""
    found = (_usual_file(images / folder) for folder in image_folders(images, reserved))
    return tuple(path for path in found if path is not None)


def _classes(document: Mapping[str, Any], file: Path) -> str | list[Any] | None:
    value = document.get("classes")
    if not isinstance(value, str | list | None) or value == "":
        raise InputError(
            f"{file}: classes: must be a list of names, the path of a class list, voc or coco, "
            f"not {short(value)}"
        )
    return at_home(value) if isinstance(value, str) else value


def _ratio(document: Mapping[str, Any], file: Path) -> SplitRatio | None:
    split = document.get("split")
    if split is None:
        return None
    where = f"{file}: split"
    if not isinstance(split, dict) or "val" not in split:
        raise InputError(f"{where}: must be such as {{val: 0.2, seed: 0}}, not {short(split)}")
    check_keys(split, _SPLIT_KEYS, where)
    val, seed = split["val"], split.get("seed", 0)
    if not isinstance(val, float) or not 0 < val < 1:
        raise InputError(f"{where}: val: must be a share between 0 and 1, not {short(val)}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{where}: seed: must be a whole number from 0 on, not {short(seed)}")
    return SplitRatio(val, seed)
