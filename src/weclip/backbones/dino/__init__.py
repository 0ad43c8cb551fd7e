"""DINOv2: the second frozen image encoder."""
