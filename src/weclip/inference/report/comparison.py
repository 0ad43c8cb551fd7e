"""Where the label maps of several methods differ, and which of them is right there.

Stage 6. Pixels are counted over the whole split; images are only chosen, to be shown.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.bands import bands
from weclip.data.batch import IGNORE_INDEX
from weclip.data.masks.colours import RGB, VOC_COLOURS
from weclip.system.distributed import everyones

NONE_RIGHT: RGB = (25, 25, 25)
SOME_RIGHT: RGB = (120, 120, 120)
_METHOD_COLOURS: tuple[RGB, ...] = (  # Okabe and Ito's, without their greys: told apart by all
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (240, 228, 66),
    (213, 94, 0),
)
_PALEST = 165  # grey of a black pixel in a difference picture, so that all colours stand out

Ids = NDArray[np.uint8]


def method_colour(index: int) -> RGB:
    """The colour that stands for a method in charts and difference pictures."""
    if index < len(_METHOD_COLOURS):
        return _METHOD_COLOURS[index]
    r, g, b = VOC_COLOURS[index].tolist()
    return r, g, b


class Comparison:
    """Counts of pixels on which methods differ while a split is streamed.

    Attributes:
        names: Of N methods.
        counted: Pixels with a true class.
        differ: (N, N) int64: pixels on which two methods say something else; unsure (255) differs
            from every class.
        only_right: (N, N) int64: pixels on which the first method is right and the second is not.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.counted = 0
        self.differ = np.zeros((len(names), len(names)), np.int64)
        self.only_right = np.zeros_like(self.differ)

    def add(self, label_maps: Sequence[Ids], mask: Ids) -> None:
        """Count one image.

        Args:
            label_maps: N label maps (H, W), 255 where unsure.
            mask: (H, W) ids, 255 where a pixel does not count.
        """
        for rows in bands(mask.shape):
            self._add([label_map[rows] for label_map in label_maps], mask[rows])

    def _add(self, label_maps: Sequence[Ids], mask: Ids) -> None:
        """Count a band of rows of one image."""
        counts = mask != IGNORE_INDEX
        true = mask[counts]  # P
        maps = [label_map[counts] for label_map in label_maps]
        right = [label_map == true for label_map in maps]
        self.counted += true.size
        for i, j in combinations(range(len(maps)), 2):
            differ = np.count_nonzero(maps[i] != maps[j])
            self.differ[i, j] += differ
            self.differ[j, i] += differ
            self.only_right[i, j] += np.count_nonzero(right[i] & ~right[j])
            self.only_right[j, i] += np.count_nonzero(right[j] & ~right[i])

    def gather(self) -> "Comparison":
        """Take in what the other processes added; every process then holds the same."""
        parts = everyones((self.counted, self.differ, self.only_right))
        self.counted = sum(counted for counted, _, _ in parts)
        self.differ = np.sum([differ for _, differ, _ in parts], axis=0)
        self.only_right = np.sum([only for _, _, only in parts], axis=0)
        return self

    def pairs(self) -> list[dict[str, Any]]:
        """Each pair of methods as JSON values.

        Returns:
            `first` and `second`, names; `differ`, the share of the counted pixels on which they
            differ; `first_right`, `second_right` and `both_wrong`, shares of these pixels, None
            where there are none.
        """
        found = []
        for i, j in combinations(range(len(self.names)), 2):
            differ = int(self.differ[i, j])
            first, second = int(self.only_right[i, j]), int(self.only_right[j, i])
            cases = {
                "first_right": first,
                "second_right": second,
                "both_wrong": differ - first - second,
            }
            shares = {case: count / differ if differ else None for case, count in cases.items()}
            names = {"first": self.names[i], "second": self.names[j]}
            found.append({**names, "differ": differ / max(self.counted, 1), **shares})
        return found


def most_different(image_miou: Sequence[Mapping[str, float]], count: int) -> list[str]:
    """Images on which the scores of methods lie farthest apart, the farthest first.

    Args:
        image_miou: For each of two or more methods, mIoU by image name; the same images.
        count: How many at most. Images on which all score the same are none of them.
    """
    spread = {name: max(scores) - min(scores) for name, scores in _by_image(image_miou).items()}
    ranked = sorted(spread, key=lambda name: (-spread[name], name))
    return [name for name in ranked[:count] if spread[name] > 0]


def hardest(image_miou: Sequence[Mapping[str, float]]) -> list[str]:
    """All images, first those on which even the best method is bad; argument as above."""
    best = {name: max(scores) for name, scores in _by_image(image_miou).items()}
    return sorted(best, key=lambda name: (best[name], name))


def _by_image(image_miou: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {name: [scores[name] for scores in image_miou] for name in image_miou[0]}


def difference_picture(
    image: NDArray[np.uint8], label_maps: Sequence[Ids], mask: Ids
) -> Image.Image:
    """Paint who is right over a pale image.

    A pixel has the colour of a method if it alone is right, `NONE_RIGHT` if none is, `SOME_RIGHT`
    if several but not all are; it stays pale where all are right or the mask is 255.

    Args:
        image: (H, W, 3) uint8, RGB.
        label_maps: N label maps (H, W).
        mask: (H, W) ids.
    """
    picture = np.empty_like(image)
    for rows in bands(mask.shape):
        given = [label_map[rows] for label_map in label_maps]
        picture[rows] = _difference(image[rows], given, mask[rows])
    return Image.fromarray(picture)


def _difference(
    image: NDArray[np.uint8], label_maps: Sequence[Ids], mask: Ids
) -> NDArray[np.uint8]:
    """As `difference_picture`, of a band of rows."""
    right = np.stack([label_map == mask for label_map in label_maps])  # N,H,W
    number = right.sum(axis=0)  # H,W
    grey = image.mean(axis=2) * (255 - _PALEST) / 255 + _PALEST
    picture = np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2)
    picture[number < len(label_maps)] = SOME_RIGHT
    for index in range(len(label_maps)):
        picture[right[index] & (number == 1) & (len(label_maps) > 1)] = method_colour(index)
    picture[number == 0] = NONE_RIGHT
    uncounted = mask == IGNORE_INDEX
    picture[uncounted] = grey[uncounted].round().astype(np.uint8)[:, None]
    return picture
