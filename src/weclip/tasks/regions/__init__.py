"""`weclip regions`, and regions for the other commands."""
