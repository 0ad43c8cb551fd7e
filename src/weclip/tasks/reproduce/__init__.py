"""`weclip reproduce`: a published table again, from the data to the difference."""
