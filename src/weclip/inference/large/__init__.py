"""Images that are too large to go through a network at once."""
