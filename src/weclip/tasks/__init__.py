"""What the commands do, and what Python calls: each writes only below its output folder."""
