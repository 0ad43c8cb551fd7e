"""`weclip evaluate`."""
