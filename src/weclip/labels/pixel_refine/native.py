"""PAR on a CPU: compiled by numba, over all cores.

Every row is its own task. Weights lie row by neighbour by column, so that a row's weights stay in
cache while all maps of the image use them. The first call compiles, once per machine.
"""

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from numba import njit, prange, set_num_threads
from numba.core import config
from torch import Tensor

from weclip.labels.pixel_refine.compiled import Kernel
from weclip.labels.pixel_refine.settings import ParSettings, position_weights

FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Fused and reordered sums, reciprocals; NaN and infinity keep their meaning."""

Floats = npt.NDArray[np.float32]


def spread(maps: Tensor, image: Tensor, filled: Tensor, settings: ParSettings) -> Tensor:
    """Refine float32 maps; arguments as in `pixel_adaptive_refinement`, the image of their size."""
    use_threads()
    distances, reach = np.array(settings.dilations), max(settings.dilations)
    position, colour_width = position_weights(settings).numpy(), np.float32(settings.colour_width)
    refined = torch.zeros_like(maps)
    for index, rows in enumerate(filled):
        chosen = maps[index, rows]
        if settings.iterations and len(chosen):
            weights = neighbour_weights(
                padded(image[index], reach), distances, colour_width, position
            )
            chosen = torch.from_numpy(
                _repeat(padded(chosen, reach), weights, distances, settings.iterations)
            )
        refined[index, rows] = chosen
    return refined


def padded(x: Tensor, reach: int, rows: tuple[int, int] | None = None) -> Floats:
    """Contiguous (M, H+2r, W+2r) with the border of (M, H, W) repeated.

    Args:
        x: (M, H, W).
        reach: r.
        rows: How many rows are added above and below, if not r.
    """
    above, below = rows or (reach, reach)
    wide = F.pad(x[None], (reach, reach, above, below), mode="replicate")[0]
    return wide.contiguous().numpy()


def use_threads() -> None:
    """As many as PyTorch."""
    available: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    threads = min(torch.get_num_threads(), available)
    if threads < available:
        # One of several processes: OpenMP's idle threads would spin on the cores of the others.
        config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]
    set_num_threads(threads)


@njit(inline="always")
def _exp(x):
    """exp(x) for x <= 0, to 5e-7 near 0: 2^n by the exponent bits, 2^f by a polynomial."""
    t = max(x, np.float32(-87.0)) * np.float32(1.4426950408889634)
    n = np.floor(t)
    f = t - n
    p = np.float32(1.8775767e-3)
    p = p * f + np.float32(8.9893397e-3)
    p = p * f + np.float32(5.5826318e-2)
    p = p * f + np.float32(2.4015361e-1)
    p = p * f + np.float32(6.9315308e-1)
    p = p * f + np.float32(9.9999994e-1)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(inline="always")
def _neighbour(channel, y, k, distances, reach):
    """Row `y` of a padded channel (H+2r, W+2r), moved to neighbour `k`: a view (W,)."""
    j = k % 8
    j += j // 4  # the centre is no neighbour
    dy, dx = distances[k // 8] * (j // 3 - 1), distances[k // 8] * (j % 3 - 1)
    start, width = reach + dx, channel.shape[1] - 2 * reach
    return channel[y + reach + dy, start : start + width]


@njit(fastmath=FAST)
def _colour_scores(channel, y, distances, reach, colour_width, scores):
    """Subtract a third of the squared relative difference of every neighbour from (8d, W)."""
    count, width = scores.shape
    centre = channel[y + reach, reach : reach + width]
    mean = np.zeros(width, np.float32)
    for k in range(count):
        row = _neighbour(channel, y, k, distances, reach)
        for x in range(width):
            mean[x] += row[x] * np.float32(1 / count)
    squares = np.zeros(width, np.float32)
    for k in range(count):
        row = _neighbour(channel, y, k, distances, reach)
        for x in range(width):
            squares[x] += (row[x] - mean[x]) ** 2
    inverse = mean
    for x in range(width):
        deviation = np.sqrt(squares[x] * np.float32(1 / (count - 1))) + np.float32(1e-8)
        inverse[x] = np.float32(1) / (deviation * colour_width)
    for k in range(count):
        row, score = _neighbour(channel, y, k, distances, reach), scores[k]
        for x in range(width):
            score[x] -= ((row[x] - centre[x]) * inverse[x]) ** 2 * np.float32(1 / 3)


@njit(fastmath=FAST)
def _softmax(scores, position):
    """Softmax over the first dimension of (8d, W) in place, plus `position` (8d,)."""
    count, width = scores.shape
    top = scores[0].copy()
    for k in range(1, count):
        score = scores[k]
        for x in range(width):
            top[x] = max(top[x], score[x])
    total = np.zeros(width, np.float32)
    for k in range(count):
        score = scores[k]
        for x in range(width):
            score[x] = _exp(score[x] - top[x])
            total[x] += score[x]
    for x in range(width):
        total[x] = np.float32(1) / total[x]
    for k in range(count):
        score = scores[k]
        for x in range(width):
            score[x] = score[x] * total[x] + position[k]


@Kernel
def neighbour_weights(image, distances, colour_width, position):
    """Weights (H, 8d, W) of a padded image (3, H+2r, W+2r) for d distances."""
    reach = distances.max()
    height, width = image.shape[1] - 2 * reach, image.shape[2] - 2 * reach
    weights = np.zeros((height, len(position), width), np.float32)
    for y in prange(height):
        for channel in image:
            _colour_scores(channel, y, distances, reach, colour_width, weights[y])
        _softmax(weights[y], position)
    return weights


@njit(fastmath=FAST)
def _weighted_sum(source, weights, y, distances, reach, out):
    """Row `y` of the next map (W,) from a padded map and the row's weights (8d, W)."""
    out[:] = 0
    for i in range(len(distances)):
        k = 8 * i
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
        n0 = _neighbour(source, y, k, distances, reach)
        n1 = _neighbour(source, y, k + 1, distances, reach)
        n2 = _neighbour(source, y, k + 2, distances, reach)
        n3 = _neighbour(source, y, k + 3, distances, reach)
        n4 = _neighbour(source, y, k + 4, distances, reach)
        n5 = _neighbour(source, y, k + 5, distances, reach)
        n6 = _neighbour(source, y, k + 6, distances, reach)
        n7 = _neighbour(source, y, k + 7, distances, reach)
        for x in range(len(out)):
            upper = w0[x] * n0[x] + w1[x] * n1[x] + w2[x] * n2[x] + w3[x] * n3[x]
            lower = w4[x] * n4[x] + w5[x] * n5[x] + w6[x] * n6[x] + w7[x] * n7[x]
            out[x] += upper + lower


@njit
def _repeat_border(maps, reach):
    """Write the border of the content of padded maps (M, H+2r, W+2r) into their padding."""
    for padded in maps:
        for row in padded[reach:-reach]:
            row[:reach] = row[reach]
            row[-reach:] = row[-reach - 1]
        for y in range(reach):
            padded[y] = padded[reach]
            padded[-1 - y] = padded[-1 - reach]


@Kernel
def _repeat(maps, weights, distances, iterations):
    """Spread padded maps (M, H+2r, W+2r) `iterations` times: (M, H, W). Overwrites `maps`."""
    reach = distances.max()
    height, _, width = weights.shape
    source, target = maps, np.empty_like(maps)
    for _ in range(iterations):
        for y in prange(height):
            for m in range(len(source)):
                out = target[m, y + reach, reach : reach + width]
                _weighted_sum(source[m], weights[y], y, distances, reach, out)
        _repeat_border(target, reach)
        source, target = target, source
    return source[:, reach:-reach, reach:-reach].copy()


@Kernel
def step(maps, weights, first, distances):
    """The next map of some rows: (M, H, W) of padded maps (M, H+2r, W+2r).

    Row `y` of the image has its weights in row `y` modulo R of (R, 8d, W); `first` is the first.
    """
    reach = distances.max()
    height, width = maps.shape[1] - 2 * reach, maps.shape[2] - 2 * reach
    target = np.empty((len(maps), height, width), np.float32)
    for y in prange(height):
        row = weights[(first + y) % len(weights)]
        for m in range(len(maps)):
            _weighted_sum(maps[m], row, y, distances, reach, target[m, y])
    return target
