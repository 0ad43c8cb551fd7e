"""From an image's cosines with words to scores of its pixels: window by window, on demand.

Stage 4. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025, as in its released code. The class scores of a
large image are never held all at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.windows import Window, windows
from weclip.labels.region_attention.words import Words, word_scores
from weclip.labels.resizing import resized


@dataclass(frozen=True)
class WordScores:
    """Scores of every pixel for background and K tags, as `labels.pixel_scores.PixelScores`.

    Attributes:
        cosine: (Q, h, w) with Q words.
        words: Whose they are.
        class_ids: (1+K,) uint8 class ids that may be there, ascending; the first is 0.
        size: (H, W) of the scores.
    """

    cosine: Tensor
    words: Words
    class_ids: NDArray[np.uint8]
    size: tuple[int, int]

    def windows(self) -> Iterator[tuple[Window, Tensor]]:
        """All windows of the image with their scores (1+K, rows, columns) in [0, 1]."""
        for window in windows(self.size, len(self.cosine)):
            yield window, self._at(resized(self.cosine, self.size, window))

    def tag_maps(self, grid: tuple[int, int]) -> Tensor:
        """Scores (K, h', w') of the tags alone, means of cosines over the cells of a grid."""
        return self._at(torch.nn.functional.adaptive_avg_pool2d(self.cosine, grid))[1:]

    @torch.no_grad()
    def _at(self, cosine: Tensor) -> Tensor:
        allowed = self.class_ids.tolist()
        scores = word_scores(cosine, self.words.classes, scale=self.words.scale, allowed=allowed)
        return scores[allowed]
