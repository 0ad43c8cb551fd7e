"""Pictures of a scene: the image, and a label map over it with outlines and places for names.

Stage 6. Names are not painted: a page writes them over the picture, in any script and at any size.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.batch import IGNORE_INDEX

LONG_SIDE = 360
"""Pixels of a picture: about twice what is seen of it on a phone."""

_QUALITY = 80
_TINT = 0.35  # opacity inside of an outline
_NAMED = 0.008  # share of the pixels from which on a region has its name
_APART = (0.3, 0.1)  # of two names, as shares of the picture; nearer ones would cover each other
_GRID = 64  # pixels of the small label map on which places of names are looked for

Ids = NDArray[np.uint8]


@dataclass(frozen=True)
class Panel:
    """A picture of a scene, as it is in a page.

    Attributes:
        caption: What it shows.
        jpeg: The picture.
        size: (width, height) in pixels.
        places: Class id -> where its name goes, x and y as shares of the picture.
    """

    caption: str
    jpeg: bytes
    size: tuple[int, int]
    places: dict[int, tuple[float, float]]


def photo(image: NDArray[np.uint8], caption: str = "image") -> Panel:
    """The image (H, W, 3) as it is, small."""
    return _panel(caption, _small(image), {})


def outlined(image: NDArray[np.uint8], label_map: Ids, palette: Ids, caption: str) -> Panel:
    """The image with its classes tinted and outlined, and what is unsure (255) hatched.

    Args:
        image: (H, W, 3) uint8, RGB.
        label_map: (H, W) ids.
        palette: (256, 3) colours by class id.
        caption: What it shows.
    """
    small = _small(image)
    ids = resized_ids(label_map, (small.shape[0], small.shape[1]))
    return _panel(caption, paint(small, ids, palette), name_places(ids))


def paint(image: NDArray[np.uint8], ids: Ids, palette: Ids) -> NDArray[np.uint8]:
    """Tint and outline; a white line outside of each outline parts it from dark ground.

    Args:
        image: (H, W, 3) uint8.
        ids: (H, W) ids.
        palette: (256, 3).
    """
    painted = image.astype(np.float32)
    known = (ids != 0) & (ids != IGNORE_INDEX)  # H,W
    painted[known] = (1 - _TINT) * painted[known] + _TINT * palette[ids[known]]
    y, x = np.indices(ids.shape)
    painted[(ids == IGNORE_INDEX) & ((x + y) % 8 < 2)] = palette[IGNORE_INDEX]
    inner = _border(ids) & known
    line = _grown(_grown(inner)) & known  # three pixels wide
    halo = _grown(line) & ~known
    painted[halo] = 255
    painted[line] = palette[ids[line]]
    return painted.round().astype(np.uint8)


def name_places(ids: Ids) -> dict[int, tuple[float, float]]:
    """Of each class that is large enough, the place that lies deepest inside of it.

    >>> name_places(np.pad(np.ones((3, 3), np.uint8), 2))
    {1: (0.5, 0.5)}
    """
    height, width = ids.shape
    scale = min(1.0, _GRID / max(height, width))
    ids = resized_ids(ids, (max(1, round(height * scale)), max(1, round(width * scale))))
    places = {}
    for class_id in np.unique(ids):
        inside = ids == class_id
        if class_id in (0, IGNORE_INDEX) or inside.mean() < _NAMED:
            continue
        y, x = _deepest(inside)
        places[int(class_id)] = ((x + 0.5) / ids.shape[1], (y + 0.5) / ids.shape[0])
    return _apart(places)


def _apart(places: dict[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
    """Move names down that would cover one above."""
    moved: dict[int, tuple[float, float]] = {}
    for class_id, (x, y) in sorted(places.items(), key=lambda item: item[1][1]):
        for other_x, other_y in sorted(moved.values(), key=lambda place: place[1]):
            if abs(x - other_x) < _APART[0] and abs(y - other_y) < _APART[1]:
                y = other_y + _APART[1]
        moved[class_id] = (x, min(1.0, y))
    return moved


def resized_ids(ids: Ids, size: tuple[int, int]) -> Ids:
    """A label map at another size (H, W), each pixel that of the nearest."""
    rows = (np.arange(size[0]) + 0.5) * ids.shape[0] / size[0]
    columns = (np.arange(size[1]) + 0.5) * ids.shape[1] / size[1]
    nearest: Ids = ids[rows.astype(int)[:, None], columns.astype(int)]
    return nearest


def _deepest(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of a pixel that is left longest when a region shrinks from all sides."""
    left = np.pad(inside, 1)
    while True:
        core = left & ~_grown(~left)
        if not core.any():
            rows, columns = np.nonzero(left[1:-1, 1:-1])
            middle = len(rows) // 2
            return int(rows[middle]), int(columns[middle])
        left = core


def _border(ids: Ids) -> NDArray[np.bool_]:
    """Pixels with a neighbour of another id; the image's edge is none."""
    border = np.zeros(ids.shape, np.bool_)
    down, across = ids[1:] != ids[:-1], ids[:, 1:] != ids[:, :-1]
    border[1:] |= down
    border[:-1] |= down
    border[:, 1:] |= across
    border[:, :-1] |= across
    return border


def _grown(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A region with its four neighbours."""
    grown = region.copy()
    grown[1:] |= region[:-1]
    grown[:-1] |= region[1:]
    grown[:, 1:] |= region[:, :-1]
    grown[:, :-1] |= region[:, 1:]
    return grown


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image with a long side of `LONG_SIDE`; tiny ones grow, so that lines are thin on them."""
    picture = Image.fromarray(image)
    scale = LONG_SIDE / max(picture.size)
    size = tuple(max(1, round(scale * side)) for side in picture.size)
    return np.asarray(picture.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=3))


def _panel(
    caption: str, pixels: NDArray[np.uint8], places: dict[int, tuple[float, float]]
) -> Panel:
    picture, buffer = Image.fromarray(pixels), io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Panel(caption, buffer.getvalue(), picture.size, places)
