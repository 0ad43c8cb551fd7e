"""Trained heads on an encoder's feature maps."""
