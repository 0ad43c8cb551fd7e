"""Many images: read ahead, computed in batches, refined and written beside that."""
