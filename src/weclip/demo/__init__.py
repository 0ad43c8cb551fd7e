"""The offline demo: a world of emoji scenes and the tiny CLIP that was trained for it."""
