"""Stage 1: from files on disk to a `Batch` of uint8 images and tags."""
