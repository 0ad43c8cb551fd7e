"""TIFFs of more than three bands or 8 bits, and those that lie somewhere on a map."""
