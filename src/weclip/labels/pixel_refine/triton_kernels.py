"""PAR on a GPU, as Triton kernels: weights once per image, then one launch per iteration.

A program owns a block of pixels of one image. Weights are read once per iteration for all maps of
the image. Maps that do not count are neither read nor written.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from weclip.labels.pixel_refine.settings import ParSettings, offsets_on, position_weights

BLOCK = tl.constexpr(256)
"""Pixels per program."""


def spread(maps: Tensor, image: Tensor, filled: Tensor, settings: ParSettings) -> Tensor:
    """Refine float32 maps; arguments as in `pixel_adaptive_refinement`, the image of their size."""
    batch, count, height, width = maps.shape
    offsets = offsets_on(maps.device, settings.dilations)  # (K, 2)
    grid = (triton.cdiv(height * width, BLOCK.value), batch)
    position = position_weights(settings, maps.device)
    neighbours, rows = len(offsets), triton.next_power_of_2(count)
    weights = torch.empty(batch, neighbours, height * width, device=maps.device)
    shape = (height, width, count)  # numbers, which go with a launch; a tensor would be a copy
    _neighbour_weights[grid](
        image.contiguous(), offsets, position, weights, shape, settings.colour_width, neighbours
    )
    source = (maps * filled[..., None, None]).contiguous()
    target = torch.zeros_like(source)
    for _ in range(settings.iterations):
        _weighted_sum[grid](source, weights, offsets, filled, target, shape, neighbours, rows)
        source, target = target, source
    return source


@triton.jit
def _neighbour(pixel, height, width, offsets, k):
    """Index of neighbour `k` of each pixel; the border repeats."""
    y = pixel // width + tl.load(offsets + 2 * k)
    x = pixel % width + tl.load(offsets + 2 * k + 1)
    y = tl.minimum(tl.maximum(y, 0), height - 1)
    x = tl.minimum(tl.maximum(x, 0), width - 1)
    return y * width + x


@triton.jit
def _neighbour_weights(
    image, offsets, position, weights, shape, colour_width, neighbours: tl.constexpr
):
    """Weights (B, K, H*W) of an image (B, 3, H, W): softmax of colour scores, plus `position`."""
    height, width, _ = shape
    pixels = height * width
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < pixels
    image += tl.program_id(1) * 3 * pixels
    weights += tl.program_id(1) * neighbours * pixels
    for channel in range(3):
        plane = image + channel * pixels
        centre = tl.load(plane + pixel, inside, 0.0)
        mean = tl.zeros((BLOCK,), tl.float32)
        for k in range(neighbours):
            mean += tl.load(plane + _neighbour(pixel, height, width, offsets, k), inside, 0.0)
        mean /= neighbours
        squares = tl.zeros((BLOCK,), tl.float32)
        for k in range(neighbours):
            value = tl.load(plane + _neighbour(pixel, height, width, offsets, k), inside, 0.0)
            squares += (value - mean) * (value - mean)
        scale = (tl.sqrt(squares / (neighbours - 1)) + 1e-8) * colour_width
        for k in range(neighbours):
            value = tl.load(plane + _neighbour(pixel, height, width, offsets, k), inside, 0.0)
            difference = (value - centre) / scale
            score = -difference * difference / 3
            if channel > 0:
                score += tl.load(weights + k * pixels + pixel, inside, 0.0)
            tl.store(weights + k * pixels + pixel, score, inside)
    top = tl.full((BLOCK,), float("-inf"), tl.float32)
    for k in range(neighbours):
        top = tl.maximum(top, tl.load(weights + k * pixels + pixel, inside, 0.0))
    total = tl.zeros((BLOCK,), tl.float32)
    for k in range(neighbours):
        total += tl.exp(tl.load(weights + k * pixels + pixel, inside, 0.0) - top)
    for k in range(neighbours):
        score = tl.load(weights + k * pixels + pixel, inside, 0.0)
        weight = tl.exp(score - top) / total + tl.load(position + k)
        tl.store(weights + k * pixels + pixel, weight, inside)


@triton.jit
def _weighted_sum(
    source, weights, offsets, filled, target, shape, neighbours: tl.constexpr, rows: tl.constexpr
):
    """One iteration over maps (B, M, H, W); maps that do not count stay as they are."""
    height, width, count = shape
    pixels = height * width
    image = tl.program_id(1)
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < pixels
    row = tl.arange(0, rows)
    counts = tl.load(filled + image * count + row, row < count, 0) != 0
    mask = counts[:, None] & inside[None, :]
    planes = (image * count + row)[:, None] * pixels
    total = tl.zeros((rows, BLOCK), tl.float32)
    for k in range(neighbours):
        weight = tl.load(weights + (image * neighbours + k) * pixels + pixel, inside, 0.0)
        neighbour = _neighbour(pixel, height, width, offsets, k)
        total += weight[None, :] * tl.load(source + planes + neighbour[None, :], mask, 0.0)
    tl.store(target + planes + pixel[None, :], total, mask)
