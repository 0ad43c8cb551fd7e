"""CorrCLIP as released: an image resized, cut into windows that overlap, and put together again."""
