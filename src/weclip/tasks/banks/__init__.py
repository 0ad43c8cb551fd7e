"""Banks of region features: a memory of images, and the bank of retrieval."""
