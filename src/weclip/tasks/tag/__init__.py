"""`weclip tag`, and tags by CLIP for other tasks."""
