"""Tables of tags: CSV, tab-separated text and JSON lines."""
