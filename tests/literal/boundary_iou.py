"""Boundary IoU class by class, erosion by erosion, pixel by pixel (Cheng et al., 2021)."""

import math

import numpy as np


def erode(inside):
    """One erosion by a 3 x 3 square; everything beyond the image is outside."""
    height, width = inside.shape
    eroded = np.zeros_like(inside)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            eroded[y, x] = all(inside[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1))
    return eroded


def region(inside, distance):
    """Pixels of `inside` (H, W) bool that `distance` erosions take away."""
    eroded = inside
    for _ in range(distance):
        eroded = erode(eroded)
    return inside & ~eroded


def boundary_iou(pairs, num_classes, ratio=0.02):
    """IoU by class over pairs of label map and mask (H, W), None for absent classes."""
    scores = []
    for class_id in range(num_classes):
        intersection = union = 0
        present = False
        for label_map, mask in pairs:
            height, width = mask.shape
            distance = max(1, round(ratio * math.sqrt(height**2 + width**2)))
            counted = mask != 255
            true = region((mask == class_id) & counted, distance)
            predicted = region((label_map == class_id) & counted, distance)
            intersection += int((true & predicted).sum())
            union += int((true | predicted).sum())
            present |= bool(true.any())
        scores.append(intersection / union if present else None)
    return scores
