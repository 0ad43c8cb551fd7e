"""Stage 4: the methods, one file per paper, with their decoder and losses."""
