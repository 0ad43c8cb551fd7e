"""What the commands do; `cli.py` parses and calls. Each writes only below its output folder."""
