"""weclip: learn to segment images from image-level tags alone, with a frozen CLIP."""

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weclip.config import Config
    from weclip.config_file import load_config
    from weclip.inference.segmentation.model import SegmentationModel
    from weclip.system.errors import InputError
    from weclip.tasks.load import load

__version__ = metadata.version("weclip")

__all__ = ["Config", "InputError", "SegmentationModel", "__version__", "load", "load_config"]

_HOME = {
    "Config": "weclip.config",
    "InputError": "weclip.system.errors",
    "SegmentationModel": "weclip.inference.segmentation.model",
    "load": "weclip.tasks.load",
    "load_config": "weclip.config_file",
}


def __dir__() -> list[str]:
    """Public names, before they are imported too."""
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that `weclip --help` does not wait for PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module 'weclip' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
