"""Stage 5: from loss to weights, with checkpoints and logs."""
