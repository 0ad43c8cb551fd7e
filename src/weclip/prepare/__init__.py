"""Preparation, before stage 1: published archives become the folders that `weclip.data` reads."""
