"""Stage 6: from trained weights to label maps, scores, pictures and one report page."""
