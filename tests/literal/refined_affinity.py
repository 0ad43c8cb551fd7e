"""The refinement module's choice of attention maps, image by image (section 4)."""

import numpy as np


def initial_affinity(attention, last=8):
    """Mean of the last maps of L attention maps (1+N, 1+N) of one image."""
    maps = [block[1:, 1:] for block in attention][-last:]
    return sum(maps) / len(maps)


def refined_affinity(attention, feature_affinity, *, last, signed):
    """Affinity (N, N) of one image from its L attention maps (1+N, 1+N), float64."""
    maps = [block[1:, 1:] for block in attention][-last:]
    distances = []
    for attention_map in maps:
        difference = feature_affinity - attention_map
        distances.append(difference.sum() if signed else np.abs(difference).sum())
    average = sum(distances) / len(distances)
    kept = [m for m, distance in zip(maps, distances, strict=True) if distance <= average]
    return sum(kept) / (len(kept) + 1e-5) * feature_affinity
