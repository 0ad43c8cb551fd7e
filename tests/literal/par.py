"""PAR pixel by pixel, neighbour by neighbour, as section 5.3 of the specification words it."""

import math

import numpy as np

DILATIONS = (1, 2, 4, 8, 12, 24)


def neighbours(y, x, height, width, dilations):
    """The 8 neighbours per dilation as (row, column, distance); a border pixel repeats outwards."""
    found = []
    for dilation in dilations:
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                if dy == dx == 0:
                    continue
                row = min(max(y + dilation * dy, 0), height - 1)
                column = min(max(x + dilation * dx, 0), width - 1)
                diagonal = dy != 0 and dx != 0
                found.append((row, column, math.sqrt(2) * dilation if diagonal else dilation))
    return found


def softmax(values):
    exponentials = np.exp(values - np.max(values))
    return exponentials / exponentials.sum()


def pixel_weights(image, y, x, dilations):
    """One weight per neighbour of a pixel of `image` (3, H, W)."""
    around = neighbours(y, x, *image.shape[1:], dilations)
    scores = np.zeros(len(around))
    for channel in image:
        values = np.array([channel[row, column] for row, column, _ in around])
        deviation = values.std(ddof=1)
        scores -= (np.abs(values - channel[y, x]) / (deviation + 1e-8) / 0.3) ** 2 / 3
    distances = np.array([distance for _, _, distance in around])
    position = -((distances / (distances.std(ddof=1) + 1e-8) / 0.3) ** 2)
    return softmax(scores) + 0.01 * softmax(position)


def par(maps, image, iterations=20, dilations=DILATIONS):
    """Refine `maps` (M, H, W) by `image` (3, H, W), both float64."""
    height, width = maps.shape[1:]
    around, weights = {}, {}
    for y in range(height):
        for x in range(width):
            around[y, x] = neighbours(y, x, height, width, dilations)
            weights[y, x] = pixel_weights(image, y, x, dilations)
    for _ in range(iterations):
        refined = np.zeros_like(maps)
        for (y, x), places in around.items():
            for (row, column, _), weight in zip(places, weights[y, x], strict=True):
                refined[:, y, x] += weight * maps[:, row, column]
        maps = refined
    return maps
