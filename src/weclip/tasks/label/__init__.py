"""`weclip label`."""
