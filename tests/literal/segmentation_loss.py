"""The balanced cross-entropy, pixel by pixel (section 7)."""

import math

import cv2


def segmentation_loss(logits, label_map):
    """Loss of logits (B, C, h, w) float32 and labels (B, H, W); an empty half counts 0."""
    background, foreground = [], []
    for image_logits, labels in zip(logits, label_map, strict=True):
        height, width = labels.shape
        pixels = cv2.resize(
            image_logits.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_LINEAR
        )
        for y in range(height):
            for x in range(width):
                label = int(labels[y, x])
                if label == 255:
                    continue
                total = sum(math.exp(value) for value in pixels[y, x])
                entropy = math.log(total) - float(pixels[y, x, label])
                (background if label == 0 else foreground).append(entropy)
    halves = [sum(half) / len(half) if half else 0.0 for half in (background, foreground)]
    return 0.5 * halves[0] + 0.5 * halves[1]
