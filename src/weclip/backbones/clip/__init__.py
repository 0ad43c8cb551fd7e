"""CLIP: image encoder, text encoder, reading of its weights."""
