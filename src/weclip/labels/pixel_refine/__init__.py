"""Pixel-level refinement of maps by the colours of the image."""

from weclip.labels.pixel_refine.par import (
    ParSettings,
    compile_for,
    pixel_adaptive_refinement,
)

__all__ = ["ParSettings", "compile_for", "pixel_adaptive_refinement"]
