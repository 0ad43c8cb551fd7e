"""`weclip train`."""
