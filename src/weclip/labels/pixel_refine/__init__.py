"""Pixel-level refinement of maps by the colours of the image."""

from weclip.labels.pixel_refine.par import compile_for, pixel_adaptive_refinement
from weclip.labels.pixel_refine.settings import ParSettings

__all__ = ["ParSettings", "compile_for", "pixel_adaptive_refinement"]
