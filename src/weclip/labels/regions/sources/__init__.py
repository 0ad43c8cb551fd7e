"""Region sources; one file each."""
