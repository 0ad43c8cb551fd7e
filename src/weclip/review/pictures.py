"""Pictures for the page: photographs, thumbnails, heat maps; and a small memory of them."""

import gzip
import io
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.inference.visualize import heatmap
from weclip.system.errors import InputError

PICTURE_SIDE = 2560
"""Pixels of the longer side of a photograph on the page; masks keep their size."""
THUMBNAIL_SIDE = 112
MOST_PIXELS = 2**26
"""Of a mask that is corrected: the page holds it in memory some times over."""

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The values of the last keys; each is made once, and made again after it was forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            self._values[key] = made
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return made


def jpeg(pixels: NDArray[np.uint8], side: int, quality: int = 90) -> bytes:
    """Pixels (H, W, 3) as a JPEG whose longer side has at most `side` pixels."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def heat_png(levels: NDArray[np.uint8]) -> bytes:
    """Levels (h, w) in 0..255 as a PNG from dark blue to pale yellow."""
    buffer = io.BytesIO()
    heatmap(levels / 255).save(buffer, "PNG")
    return buffer.getvalue()


def packed(mask: NDArray[np.uint8]) -> bytes:
    """A mask's ids, row by row, compressed as browsers undo it."""
    return gzip.compress(mask.tobytes(), compresslevel=1, mtime=0)


def unpacked(body: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The mask (H, W) of a request's body; InputError if it has another size."""
    if len(body) != size[0] * size[1]:
        raise InputError(
            f"a mask of {len(body)} bytes; the image has {size[1]} x {size[0]} pixels of one byte"
        )
    return np.frombuffer(body, np.uint8).reshape(size)


def soft_map(path: Path, class_id: int) -> NDArray[np.uint8] | None:
    """The map (h, w) of a class in a file of `weclip label --soft`; None: it has none.

    Raises:
        InputError: The file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            maps, ids = found["maps"], found["class_ids"].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{path}: soft maps cannot be read; run weclip label --soft") from None
    if class_id not in ids or maps.ndim != 3 or maps.dtype != np.uint8:
        return None
    levels: NDArray[np.uint8] = maps[ids.index(class_id)]
    return levels
