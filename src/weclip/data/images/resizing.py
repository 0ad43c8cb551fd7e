"""Bilinear resizing in NumPy, as `F.interpolate` of PyTorch does it, window by window.

Stage 1. For what runs without PyTorch: a model as ONNX, and all that is read off a result.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.windows import Window

Taps = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


def resized(
    maps: NDArray[Any],
    size: tuple[int, int],
    window: Window,
    *,
    factor: float | None = None,
) -> NDArray[np.float32]:
    """A window of maps that are resized, bilinear with half-pixel centres, without antialiasing.

    Args:
        maps: (..., h, w), of any type.
        size: (H, W), of which `window` is a part.
        window: Rows and columns.
        factor: The scale factor that gave `size`, which PyTorch then reckons with; None: the sides'
            own ratios.

    Returns:
        (..., rows, columns) float32.
    """
    if maps.shape[-2:] == size:
        return maps[..., window[0], window[1]].astype(np.float32)
    down = _taps(maps.shape[-2], size[0], window[0], factor)
    left, right, share = _taps(maps.shape[-1], size[1], window[1], factor)
    used, place = np.unique(np.stack(down[:2]), return_inverse=True)
    place = place.reshape(2, -1)
    rows = maps[..., used, :].astype(np.float32)  # not more than two of each row of the window
    mixed = rows[..., left] * (1 - share) + rows[..., right] * share
    mixing = np.zeros((len(down[2]), len(used)), np.float32)
    wanted = np.arange(len(down[2]))
    mixing[wanted, place[0]] += 1 - down[2]
    mixing[wanted, place[1]] += down[2]
    enlarged: NDArray[np.float32] = np.matmul(mixing, mixed)
    return enlarged


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the first axis."""
    powers: NDArray[np.float32] = np.exp(logits - logits.max(axis=0))
    powers /= powers.sum(axis=0)
    return powers


def _taps(length: int, wanted: int, part: slice, factor: float | None) -> Taps:
    """Of each pixel of `part`: the two pixels that it lies between, and its share of the second."""
    ratio = np.float32(length / wanted if factor is None else 1 / factor)
    pixel = np.arange(part.start, part.stop, dtype=np.float32)
    place = np.maximum((pixel + np.float32(0.5)) * ratio - np.float32(0.5), 0)
    first = np.minimum(place.astype(np.intp), length - 1)
    second = np.minimum(first + 1, length - 1)
    return first, second, (place - first).clip(0, 1).astype(np.float32)
