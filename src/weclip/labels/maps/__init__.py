"""Where maps of tags come from."""
