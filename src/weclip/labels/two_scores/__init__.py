"""Labels with two background scores: where they disagree, a pixel does not count (AFA)."""
