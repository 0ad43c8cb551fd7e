"""What spreads maps of tags."""
