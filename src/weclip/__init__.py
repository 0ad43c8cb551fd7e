"""weclip: learn to segment images from image-level tags alone, with a frozen CLIP."""

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weclip.api import load
    from weclip.config import Config
    from weclip.config_file import load_config
    from weclip.errors import InputError
    from weclip.inference.segmenter import SegmentationModel

__version__ = metadata.version("weclip")

__all__ = ["Config", "InputError", "SegmentationModel", "__version__", "load", "load_config"]

_HOME = {
    "Config": "weclip.config",
    "InputError": "weclip.errors",
    "SegmentationModel": "weclip.inference.segmenter",
    "load": "weclip.api",
    "load_config": "weclip.config_file",
}


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that `weclip --help` does not wait for PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module 'weclip' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
