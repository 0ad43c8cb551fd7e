"""From one image's refined CAMs to its labels (section 5)."""

import cv2
import numpy as np
from tests.literal.par import par


def pseudo_label(cams, tags, image):
    """Labels of one image.

    Args:
        cams: (K, h, w) float64 refined maps; K may be 0.
        tags: K class indices (class id minus 1).
        image: (3, H, W) float64.

    Returns:
        Maps at pixels (K, H, W), scores (1+K, H, W) and class ids (H, W).
    """
    height, width = image.shape[1:]
    maps = []
    for cam in cams:
        cam = cam - cam.min()
        cam = cam / (1e-7 + cam.max())
        maps.append(cv2.resize(cam, (width, height), interpolation=cv2.INTER_LINEAR))
    maps = np.array(maps).reshape(len(cams), height, width)
    background = 1 - maps.max(axis=0) if len(cams) else np.ones((height, width))
    scores = par(np.concatenate([background[None], maps]), image)
    class_ids = np.array([0, *(tag + 1 for tag in tags)])
    return maps, scores, class_ids[scores.argmax(axis=0)]
