"""Boxes of 8-connected regions in the slow way: labels spread until none changes."""

import torch
import torch.nn.functional as F


def region_labels(strong):
    """Labels (M, h, w) of (M, h, w) bool: a number above 0 for each region, else 0."""
    number = torch.arange(1, strong[0].numel() + 1).float().view_as(strong[0])
    labels = number * strong
    while True:
        spread = F.max_pool2d(labels[:, None], 3, stride=1, padding=1)[:, 0] * strong
        if torch.equal(spread, labels):
            return labels.long()
        labels = spread


def region_boxes(strong):
    """Union (M, h, w) bool of the bounding boxes of the regions."""
    labels, boxes = region_labels(strong), torch.zeros_like(strong)
    for map_, box in zip(labels, boxes, strict=True):
        for label in map_.unique():
            if label:
                y, x = (map_ == label).nonzero(as_tuple=True)
                box[y.min() : y.max() + 1, x.min() : x.max() + 1] = True
    return boxes
