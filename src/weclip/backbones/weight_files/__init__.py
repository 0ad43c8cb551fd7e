"""Tensors from files; nothing in them is executed."""
