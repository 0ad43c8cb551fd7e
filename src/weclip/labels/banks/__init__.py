"""Banks of region features: what is kept of many images, and what a new one takes from it."""
