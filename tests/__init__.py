"""Tests and the corpus of bad inputs; a package, lest another one of this name hides it."""
