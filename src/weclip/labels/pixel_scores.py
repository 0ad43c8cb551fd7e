"""Scores of the pixels of one whole image, from its maps: computed window by window.

Stage 3, for images of any size; a training step makes the labels of its small crops at once
(`pseudo_label.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.windows import Window, widened, windows
from weclip.labels.pixel_refine import ParSettings, pixel_adaptive_refinement
from weclip.labels.pixel_refine.par import (
    ROW_NUMBERS,
    fits_whole,
    has_numba,
    par_strips,
    par_windows,
    reach_of,
)
from weclip.labels.pseudo_label import best_of, with_background
from weclip.labels.resizing import resized
from weclip.labels.tag_slots import TagSlots, min_max


@dataclass(frozen=True)
class Par:
    """PAR of a whole image.

    Attributes:
        settings: Constants.
        guide: (3, H', W') of any type, whose colours guide it; resized with aligned corners.
    """

    settings: ParSettings
    guide: Tensor


@dataclass(frozen=True)
class PixelScores:
    """Scores of every pixel for background and K tags, 0 or more.

    Attributes:
        maps: (K, h, w) in [0, 1]; without any, all is background, of score 1.
        class_ids: (1+K,) uint8 class ids that the scores are of; the first is 0.
        size: (H, W) of the scores.
        background_power: The background's score is (1 - max)^power; None: maps are shares, and
            it has what they leave.
        par: Refines the scores; None: nothing does.
    """

    maps: Tensor
    class_ids: NDArray[np.uint8]
    size: tuple[int, int]
    background_power: float | None
    par: Par | None = None

    def windows(self) -> Iterator[tuple[Window, Tensor]]:
        """All windows of the image with their scores (1+K, rows, columns) float32."""
        depth = len(self.class_ids)
        if self.par is None or not len(self.maps):
            for window in windows(self.size, depth):
                yield window, self._plain(window)
            return
        settings, large = self.par.settings, by_rows(self.maps.device)
        if large and not fits_whole(self.size, depth, settings, ROW_NUMBERS):
            for columns in par_strips(self.size, depth, settings):
                yield from self._strip(columns, self.par)
            return
        for window in par_windows(self.size, depth, settings):
            yield window, self._refined(window, self.par)

    def whole(self) -> Tensor:
        """All scores (1+K, H, W) at once."""
        scores = torch.empty(len(self.class_ids), *self.size, device=self.maps.device)
        for (rows, columns), part in self.windows():
            scores[:, rows, columns] = part
        return scores

    def label_map(self) -> Tensor:
        """Class ids (H, W) uint8, on the CPU, of the best scores."""
        ids = torch.from_numpy(self.class_ids)
        label_map = torch.empty(self.size, dtype=torch.uint8)
        for window, part in self.windows():
            label_map[window] = ids[best_of(part, 0).cpu()]
        return label_map

    def _plain(self, window: Window) -> Tensor:
        if not len(self.maps):
            rows, columns = (part.stop - part.start for part in window)
            return torch.ones(1, rows, columns, device=self.maps.device)
        at_pixels = resized(self.maps, self.size, window)[None]  # 1,K,rows,columns
        return with_background(at_pixels, self.background_power)[0]

    def _refined(self, window: Window, par: Par) -> Tensor:
        """PAR of the window and of all around it that can reach it: the same as of the whole."""
        wide, inner = widened(window, reach_of(par.settings), self.size)
        guide = self._guide(wide, par)
        scores = self._plain(wide)
        refined = pixel_adaptive_refinement(scores[None], guide[None], par.settings)
        return refined[0, :, inner[0], inner[1]]

    def _strip(self, columns: slice, par: Par) -> Iterator[tuple[Window, Tensor]]:
        """PAR of a strip of columns, band of rows by band."""
        from weclip.labels.pixel_refine.rows import spread_rows

        height = self.size[0]
        wide, inner = widened((slice(0, height), columns), reach_of(par.settings), self.size)
        for rows, refined in spread_rows(
            lambda rows: self._plain((rows, wide[1])),
            lambda rows: self._guide((rows, wide[1]), par),
            height,
            par.settings,
        ):
            yield (rows, columns), refined[..., inner[1]]

    def _guide(self, window: Window, par: Par) -> Tensor:
        """(3, rows, columns) float32, colours."""
        return resized(par.guide, self.size, window, align_corners=True).to(self.maps.device)


def all_background(size: tuple[int, int], device: torch.device) -> PixelScores:
    """Scores of an image (H, W) without tags."""
    none = torch.zeros(0, 1, 1, device=device)
    return PixelScores(none, np.zeros(1, np.uint8), size, 1.0)


def by_rows(device: torch.device) -> bool:
    """Whether large images are refined row by row: on a processor, whose memory is scarce."""
    return device.type == "cpu" and has_numba()


def pixel_scores(
    maps: Tensor,
    slots: TagSlots,
    size: tuple[int, int],
    *,
    eps: float,
    background_power: float,
    par: Par | None = None,
    shares: bool = False,
) -> PixelScores:
    """Scores of one image.

    Args:
        maps: (1, K, h, w) maps of the tags, in any scale.
        slots: The tags.
        size: (H, W) of the scores.
        eps: Added to the maximum in the min-max scaling.
        background_power: Exponent of the background score; more than 1 gives larger objects.
        par: Refines the scores; None: nothing does.
        shares: Whether maps are shares of a pixel, which are kept as they are.
    """
    filled = slots.filled[0]
    ids = [0, *(slots.index[0, filled] + 1).tolist()]
    kept = maps[0, filled].float()
    class_ids = np.array(ids, np.uint8)
    if shares:
        return PixelScores(kept, class_ids, size, None, par)
    return PixelScores(min_max(kept, eps), class_ids, size, background_power, par)
