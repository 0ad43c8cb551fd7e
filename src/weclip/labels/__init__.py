"""Stage 3: from frozen features and tags to a pseudo-label, as pure functions."""
