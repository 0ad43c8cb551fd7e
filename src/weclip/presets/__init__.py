"""Shipped presets: differences from the defaults of `weclip.config`."""
