"""Reports of what commands did, from what they leave in their folders."""
