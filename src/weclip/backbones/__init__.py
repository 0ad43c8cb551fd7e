"""Stage 2: frozen CLIP, from images and texts to features."""
