"""Dice loss of WeCLIP+, pixel by pixel."""

import math


def dice_loss(logits, labels, eps=1e-7, ignore=255):
    """Logits (B, C, H, W) at pixels and labels (B, H, W), as arrays; a float."""
    batch, classes, height, width = logits.shape
    both, predicted, labelled = ([0.0] * classes for _ in range(3))
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                if labels[b, y, x] == ignore:
                    continue
                powers = [math.exp(logits[b, c, y, x]) for c in range(classes)]
                for c in range(classes):
                    probability = powers[c] / sum(powers)
                    predicted[c] += probability
                    if labels[b, y, x] == c:
                        both[c] += probability
                        labelled[c] += 1
    shares = [2 * both[c] / (predicted[c] + labelled[c] + eps) for c in range(classes)]
    return 1 - sum(shares) / classes
