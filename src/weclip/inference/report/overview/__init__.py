"""The report of a run: what the data are, how it went, and the scenes that one should look at."""
