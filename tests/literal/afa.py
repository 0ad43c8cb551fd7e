"""AFA's labels and heads, number by number, as sections 4 to 7 of the specification word them."""

import math

import torch
import torch.nn.functional as F


def two_score_label(cam, tags, low, high):
    """Class ids (H, W) of maps (K, H, W) of one image's tags, without any refinement."""
    _, height, width = cam.shape
    label = torch.zeros(height, width, dtype=torch.long)
    for y in range(height):
        for x in range(width):
            found = []
            for background in (low, high):
                scores = [math.exp(background), *(math.exp(value) for value in cam[:, y, x])]
                total = sum(scores)
                shares = [score / total for score in scores]
                best = shares.index(max(shares))
                found.append(0 if best == 0 else tags[best - 1] + 1)
            if found[1] > 0:
                label[y, x] = found[1]
            elif found[0] > 0:
                label[y, x] = 255
    return label


def spread(planes, affinity, grid, radius, power, eps):
    """Planes (M, N): entry j is the sum over i of P_i T_ij, where columns of T sum to under 1."""
    count = grid[0] * grid[1]
    transition = torch.zeros(count, count, dtype=affinity.dtype)
    for i in range(count):
        for j in range(count):
            away = max(abs(i // grid[1] - j // grid[1]), abs(i % grid[1] - j % grid[1]))
            if away <= radius:
                transition[i, j] = affinity[i, j] ** power
    for j in range(count):
        transition[:, j] /= transition[:, j].sum() + eps
    return planes @ transition


def multi_scale_cam(pairs, size, eps):
    """One map (H, W) of a tag from raw maps (h, w) of each scale and of its mirror image."""
    total = torch.zeros(size, dtype=pairs[0][0].dtype)
    for straight, mirrored in pairs:
        one, other = (
            F.interpolate(each[None, None], size, mode="bilinear")[0, 0]
            for each in (straight, mirrored)
        )
        total += torch.stack([one, other.flip(1)]).amax(0).clamp(min=0)
    total -= total.min()
    return total / (total.max() + eps)


def affinity(scores, weight, bias):
    """(N, N) of raw maps (M, N, N): each and its transpose, mixed by M numbers."""
    mixed = bias + sum(w * (each + each.T) for w, each in zip(weight, scores, strict=True))
    return torch.sigmoid(mixed)


def fused(head, maps):
    """(B, E, h, w) as it is written down: all maps resized, put side by side, then mixed."""
    size = maps[0].shape[2:]
    layers = []
    for features, projection in zip(maps, head.projections, strict=True):
        tokens = projection(features.flatten(2).transpose(1, 2))
        plane = tokens.transpose(1, 2).unflatten(2, features.shape[2:])
        layers.append(F.interpolate(plane, size, mode="bilinear", align_corners=False))
    return head.fuse(torch.cat(layers[::-1], dim=1))


def guide_level(level, mean, std):
    """A level of a channel, normalised, put back and truncated, in single precision."""
    import numpy as np

    one = np.float32
    normalised = (one(level) - one(mean)) / one(std)
    return int(np.uint8(normalised * one(std) + one(mean)))
