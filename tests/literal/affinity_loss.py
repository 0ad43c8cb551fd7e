"""Affinity labels and loss, pair by pair (section 7)."""

import numpy as np


def affinity_labels(label_map, grid, radius):
    """Labels (N, N) of one label map (H, W): 1 equal, 0 different, 255 does not count."""
    height, width = label_map.shape
    rows, columns = grid
    label, place = [], []
    for row in range(rows):
        for column in range(columns):
            label.append(label_map[row * height // rows, column * width // columns])
            place.append((row, column))
    pairs = np.full((len(label), len(label)), 255)
    for i, (y, x) in enumerate(place):
        for j, (v, u) in enumerate(place):
            near = abs(y - v) <= radius and abs(x - u) <= radius
            if near and label[i] != 255 and label[j] != 255:
                pairs[i, j] = 1 if label[i] == label[j] else 0
    return pairs


def affinity_loss(feature_affinity, pairs):
    """Loss of a batch (B, N, N)."""
    positive = negative = 0.0
    positive_count = negative_count = 0
    for value, pair in zip(feature_affinity.ravel(), pairs.ravel(), strict=True):
        if pair == 1:
            positive += 1 - value
            positive_count += 1
        elif pair == 0:
            negative += value
            negative_count += 1
    return 0.5 * positive / (positive_count + 1) + 0.5 * negative / (negative_count + 1)
