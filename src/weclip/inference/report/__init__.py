"""Pages, charts and pictures of scores."""
