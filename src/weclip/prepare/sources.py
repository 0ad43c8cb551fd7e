"""Where the published files are, and how they are recognised: data, not code."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weclip.system.errors import InputError

Report = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and how much there is (None: unknown)."""

_CHUNK = 2**20  # bytes


@dataclass(frozen=True)
class Source:
    """One published file.

    Attributes:
        name: Name of the file.
        urls: Mirrors, http or https, in the order they are tried.
        checksum: `md5:` or `sha256:` and hexadecimal digits. None where none is published: then
            only the length that the server tells and the checks inside a zip archive are left.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str | None


def _clip(name: str, sha256: str) -> Source:
    """OpenAI's weights; the SHA-256 is part of the address."""
    url = f"https://openaipublic.azureedge.net/clip/models/{sha256}/{name}"
    return Source(name, (url,), f"sha256:{sha256}")


def _dino(name: str, sha256: str) -> Source:
    """Weights of torch.hub's DINOv2; in file names, registers are told as `reg4`."""
    file = f"{name.replace('_reg', '_reg4')}_pretrain.pth"
    folder = name.removesuffix("_reg")
    url = f"https://dl.fbaipublicfiles.com/dinov2/{folder}/{file}"
    return Source(file, (url,), f"sha256:{sha256}")


def _coco(name: str, folder: str) -> Source:
    """COCO's archives, which have no published checksum."""
    return Source(name, (f"http://images.cocodataset.org/{folder}/{name}",), None)


_VOC = "pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar"
_SBD = "Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz"

_DINO = {
    "dinov2_vits14": "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
    "dinov2_vitb14": "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73",
    "dinov2_vitl14": "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
    "dinov2_vits14_reg": "f433177089a681826f849f194ece3bb48f4d63fb38d32fc837e3dc7a4e5641fb",
    "dinov2_vitb14_reg": "73182a088cf94833c94b1666d1c99e02fe87e2007bff57b564fb6206e25dba71",
    "dinov2_vitl14_reg": "36e4deffbaef061a2576705b0c36f93621e2ae20bf6274694821b0b492551b51",
}
"""SHA-256 by name. Meta publishes none; all six are in the conversion scripts of finegrain's
Refiners, and each in several other repositories that fetched the file on their own."""

PUBLISHED: Mapping[str, Source] = {
    "voc": Source(
        "VOCtrainval_11-May-2012.tar",
        (f"https://thor.robots.ox.ac.uk/{_VOC}", f"http://host.robots.ox.ac.uk/{_VOC}"),
        "md5:6cd6e144f989b92b3379bac3b3de84fd",
    ),
    "sbd": Source(
        "benchmark.tgz",
        (f"https://www2.eecs.berkeley.edu/{_SBD}",),
        "md5:82b4d87ceb2ed10f6038a1cba92111cb",
    ),
    "coco_annotations": _coco("annotations_trainval2014.zip", "annotations"),
    "coco_train": _coco("train2014.zip", "zips"),
    "coco_val": _coco("val2014.zip", "zips"),
    "ViT-B/16": _clip(
        "ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"
    ),
    "ViT-L/14": _clip(
        "ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"
    ),
    **{name: _dino(name, sha256) for name, sha256 in _DINO.items()},
}
"""Every file that can be fetched, by the key that the code asks for."""


def matches(path: Path, checksum: str | None) -> bool:
    """Whether a file has a `Source`'s checksum; true where there is none."""
    if checksum is None:
        return True
    algorithm, digits = checksum.split(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == digits


def require_match(path: Path, source: Source) -> None:
    """Raise InputError if a file that is there already is not the published one."""
    if not matches(path, source.checksum):
        raise InputError(
            f"{path} is not the published {source.name} (its {source.checksum} is expected): "
            "incomplete, broken or another file; delete it or move it away, and run again"
        )
