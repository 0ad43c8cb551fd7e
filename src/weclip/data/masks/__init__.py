"""Masks on disk; training never imports this room."""
