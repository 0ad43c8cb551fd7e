"""SAM 2 as a source of regions: its weights, and its masks of a grid of points."""
