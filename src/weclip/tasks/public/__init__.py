"""The commands as Python functions, in the same words; `weclip.train` and the like are these."""
