"""Regions of images in files: id maps, and masks that overlap."""
