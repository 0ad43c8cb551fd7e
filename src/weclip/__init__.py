"""weclip: learn to segment images from image-level tags alone, with a frozen CLIP."""
