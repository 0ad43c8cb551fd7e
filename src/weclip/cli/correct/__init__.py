"""Command lines of a person's corrections."""
