"""Exports of annotation tools: Label Studio, CVAT, COCO, FiftyOne."""
