"""Where images, tags and masks lie."""
