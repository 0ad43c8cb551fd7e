"""Boxes of all contours, outer and inner, with OpenCV as the released code uses it (section 4)."""

import cv2
import numpy as np


def box_mask(cam, theta, *, exclusive_edge):
    """Mask (h, w) of one map (h, w) float32 in [0, 1]."""
    height, width = cam.shape
    levels = (cam * 255).astype(np.uint8)
    _, binary = cv2.threshold(levels, int(theta * np.max(levels)), 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    mask = np.zeros((height, width))
    for contour in contours:
        x0, y0, box_width, box_height = cv2.boundingRect(contour)
        x1, y1 = x0 + box_width, y0 + box_height
        if exclusive_edge:
            x1, y1 = min(x1, width - 1), min(y1, height - 1)
        mask[y0:y1, x0:x1] = 1
    return mask
