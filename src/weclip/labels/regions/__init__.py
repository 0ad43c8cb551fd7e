"""Regions of images: where they come from, and what is done inside them."""
