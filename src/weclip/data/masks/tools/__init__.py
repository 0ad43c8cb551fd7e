"""Masks that other tools wrote: one file for each tool, told by what it holds."""
