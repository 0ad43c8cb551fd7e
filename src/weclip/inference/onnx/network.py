"""The network in an ONNX file, run by onnxruntime.

Stage 6.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.inference.onnx.header import LOGITS, OnnxHeader, header_from
from weclip.system.errors import InputError
from weclip.system.files import what_it_is
from weclip.system.untrusted.text import one_line

SUFFIX = ".onnx"

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
"""What onnxruntime calls devices."""

Provider = str | tuple[str, dict[str, int]]

DEVICE = re.compile(r"cpu|cuda(:(?P<number>\d{1,3}))?")

INPUT, ERRORS_ONLY = "image", 3


class OnnxNetwork:
    """A network; call it on a batch of images.

    Args:
        path: ONNX file that `weclip export` wrote.
        device: `cpu`, `cuda` or `cuda:1`; None: a GPU where this onnxruntime has one.

    Attributes:
        device: Where it computes: `cpu` or `cuda`, with a number if one was given.

    Raises:
        InputError: No such file or device, another file, or onnxruntime is not installed.
    """

    def __init__(self, path: Path, device: str | None = None) -> None:
        providers = _providers(device)
        self.session = _session(path, providers)
        computes_on = self.session.get_providers()[0]
        if device is not None and computes_on != _name(providers[0]):
            raise InputError(
                f"device {device}: onnxruntime cannot start it here; it would compute on the CPU"
            )
        self.device = "cpu" if computes_on == CPU else (device or "cuda")
        self.header = header_from(self.session.get_modelmeta().custom_metadata_map, path)

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        return self.device == "cpu"

    def __call__(self, image: NDArray[np.float32]) -> NDArray[Any]:
        """The output that `header.output` names, of images (B, 3, H, W) float32 in [0, 255]."""
        output: NDArray[Any] = self.session.run(None, {INPUT: image})[0]
        return output


def require_logits(header: OnnxHeader, path: Path) -> None:
    """InputError for a model that scales, confidence and sizes cannot be computed of."""
    if header.output != LOGITS:
        raise InputError(
            f"{path}: exported with --output {header.output}, for use without weclip; weclip reads "
            f"models exported with --output {LOGITS}"
        )


def can_compute_on(device: str) -> bool:
    """Whether onnxruntime is here and has a device of this name."""
    try:
        _providers(device)
    except InputError:
        return False
    return True


def _session(path: Path, providers: list[Provider]) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such model file")
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors have no common class of their own
        reason = what_it_is(path) or one_line(error)
        raise InputError(f"{path}: not an ONNX file that onnxruntime reads ({reason})") from None


def _providers(device: str | None) -> list[Provider]:
    available = _onnxruntime().get_available_providers()
    if device is None:
        return [name for name in (CUDA, CPU) if name in available]
    found = DEVICE.fullmatch(device)
    if found is None or (device != "cpu" and CUDA not in available):
        known = "cpu, cuda" if CUDA in available else "cpu"
        raise InputError(f"device {device}: not one that onnxruntime can use here; known: {known}")
    return [CPU] if device == "cpu" else [(CUDA, {"device_id": int(found["number"] or 0)}), CPU]


def _name(provider: Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            "an ONNX model needs onnxruntime: pip install 'weclip[onnx]' (or onnxruntime-gpu)"
        ) from None
    return onnxruntime
