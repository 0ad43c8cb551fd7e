"""One training step on a device that nobody waits for."""
