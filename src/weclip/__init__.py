"""weclip: learn to segment images from image-level tags alone, with a frozen CLIP."""

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weclip.config import Config
    from weclip.config_file import load_config
    from weclip.inference.segmentation.model import SegmentationModel
    from weclip.inference.segmentation.result import Segmentation
    from weclip.system.errors import InputError, RunError
    from weclip.tasks.load.opening import load
    from weclip.tasks.public.check import check
    from weclip.tasks.public.evaluate import evaluate
    from weclip.tasks.public.label import label
    from weclip.tasks.public.memory import memory
    from weclip.tasks.public.predict import predict
    from weclip.tasks.public.regions import regions
    from weclip.tasks.public.results import (
        BundleResult,
        CheckResult,
        EvaluateResult,
        ExportResult,
        LabelResult,
        MemoryResult,
        PredictResult,
        PushResult,
        RegionsResult,
        TagResult,
    )
    from weclip.tasks.public.share import bundle, export, push
    from weclip.tasks.public.tag import tag
    from weclip.tasks.public.train import train
    from weclip.tasks.train.result import TrainResult

__version__ = metadata.version("weclip")

__all__ = [
    "BundleResult",
    "CheckResult",
    "Config",
    "EvaluateResult",
    "ExportResult",
    "InputError",
    "LabelResult",
    "MemoryResult",
    "PredictResult",
    "PushResult",
    "RegionsResult",
    "RunError",
    "Segmentation",
    "SegmentationModel",
    "TagResult",
    "TrainResult",
    "__version__",
    "bundle",
    "check",
    "evaluate",
    "export",
    "label",
    "load",
    "load_config",
    "memory",
    "predict",
    "push",
    "regions",
    "tag",
    "train",
]

_HOME = {
    "bundle": "tasks.public.share",
    "export": "tasks.public.share",
    "push": "tasks.public.share",
    "Config": "config",
    "InputError": "system.errors",
    "RunError": "system.errors",
    "Segmentation": "inference.segmentation.result",
    "SegmentationModel": "inference.segmentation.model",
    "TrainResult": "tasks.train.result",
    "load": "tasks.load.opening",
    "load_config": "config_file",
    **{
        f"{command.title()}Result": "tasks.public.results"
        for command in (
            "bundle",
            "check",
            "evaluate",
            "export",
            "label",
            "memory",
            "predict",
            "push",
            "regions",
            "tag",
        )
    },
    **{
        command: f"tasks.public.{command}"
        for command in (
            "check",
            "evaluate",
            "label",
            "memory",
            "predict",
            "regions",
            "tag",
            "train",
        )
    },
}
"""The module, below `weclip`, of each public name."""


def __dir__() -> list[str]:
    """Public names, before they are imported too."""
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that `weclip --help` does not wait for PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module 'weclip' has no attribute '{name}'")
    from importlib import import_module

    try:
        return getattr(import_module(f"weclip.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        from weclip.system.failures import missing_package

        raise missing_package(error) or error from None
