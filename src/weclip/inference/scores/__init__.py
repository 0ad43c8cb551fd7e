"""From label maps and masks to numbers."""
