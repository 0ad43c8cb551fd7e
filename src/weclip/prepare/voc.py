"""PASCAL VOC 2012 and the SBD masks, in the layout of `weclip.data.layouts.voc`.

`SegmentationClassAug` gets a mask for every name that either data set has one for: VOC's own where
there is one, SBD's (Hariharan et al., ICCV 2011; no ignored band) otherwise. `train_aug` is VOC's
train with SBD's train and val, without VOC's val: 10,582 names.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weclip.data.images.listing import list_names
from weclip.data.masks.mask_files import save_mask
from weclip.prepare.archives import Archives
from weclip.prepare.extra import require_extra
from weclip.prepare.parallel import for_each
from weclip.prepare.unpack import unpack_once
from weclip.system.errors import InputError
from weclip.system.files import write_atomically, write_text

KEYS = ("voc", "sbd")
"""Files that are needed."""

_INSIDE = "VOCdevkit/VOC2012"
_PARTS = ("Annotations", "ImageSets/Segmentation", "JPEGImages", "SegmentationClass")
_SBD = "benchmark_RELEASE/dataset"
_SBD_PARTS = ("cls/", "train.txt", "val.txt")
_MAX_CLASS = 20


class _Conversion(NamedTuple):
    """A mask to be made: from an SBD file (`.mat`), or by copying VOC's (`.png`)."""

    origin: Path
    target: Path


def prepare_voc(root: Path, archives: Archives) -> Path:
    """Fetch, unpack and convert whatever is still missing.

    Args:
        root: Folder that gets VOCdevkit/VOC2012, and SBD's files in `archives.folder`.
        archives: Where the archives come from.

    Returns:
        The folder VOC2012.

    Raises:
        InputError: SciPy is not installed, or an archive cannot be had or used.
    """
    require_extra("scipy")
    work = archives.folder
    wanted = {f"{_INSIDE}/{part}/": f"{_INSIDE}/{part}/" for part in _PARTS}
    receipt = work / "voc.unpacked.json"
    unpack_once(lambda: archives.get("voc"), root, wanted, receipt, archives.report)
    wanted = {f"{_SBD}/{part}": f"{_SBD}/{part}" for part in _SBD_PARTS}
    receipt = work / "sbd.unpacked.json"
    unpack_once(lambda: archives.get("sbd"), work, wanted, receipt, archives.report)

    voc, sbd = root / _INSIDE, work / _SBD
    lists = voc / "ImageSets" / "Segmentation"
    voc_train, voc_val = _read_names(lists / "train.txt"), _read_names(lists / "val.txt")
    sbd_names = _read_names(sbd / "train.txt") | _read_names(sbd / "val.txt")
    for_each(
        _convert, _missing_masks(voc, sbd, voc_train | voc_val, sbd_names), "masks", archives.report
    )
    _write_list(lists / "train_aug.txt", (voc_train | sbd_names) - voc_val)
    return voc


def read_sbd_mask(path: Path) -> NDArray[np.uint8]:
    """Read the class ids of an SBD file, `GTcls.Segmentation`.

    Returns:
        (H, W) uint8, 0 to 20; nothing is ignored.

    Raises:
        InputError: Not such a file.
    """
    from scipy.io import loadmat

    try:
        mask = np.asarray(loadmat(path, variable_names=["GTcls"])["GTcls"]["Segmentation"][0, 0])
        if mask.ndim != 2 or mask.size == 0 or not 0 <= mask.min() <= mask.max() <= _MAX_CLASS:
            raise ValueError("not a two-dimensional mask of ids from 0 to 20")
    except Exception as error:  # a broken file makes SciPy raise almost anything
        raise InputError(f"{path}: not a mask of SBD ({error}); delete it and run again") from None
    return mask.astype(np.uint8)


def _missing_masks(
    voc: Path, sbd: Path, voc_names: set[str], sbd_names: set[str]
) -> list[_Conversion]:
    target = voc / "SegmentationClassAug"
    made = set(list_names(target))
    return [
        _Conversion(
            voc / "SegmentationClass" / f"{name}.png"
            if name in voc_names
            else sbd / "cls" / f"{name}.mat",
            target / f"{name}.png",
        )
        for name in sorted(voc_names | sbd_names)
        if f"{name}.png" not in made
    ]


def _convert(item: _Conversion) -> None:
    if item.origin.suffix == ".mat":
        save_mask(read_sbd_mask(item.origin), item.target)
    else:
        write_atomically(item.target, lambda temporary: shutil.copyfile(item.origin, temporary))


def _read_names(path: Path) -> set[str]:
    return set(path.read_text(encoding="utf-8").split())


def _write_list(path: Path, names: set[str]) -> None:
    """Write sorted names, one a line, unless the file says so already."""
    text = "".join(f"{name}\n" for name in sorted(names))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
