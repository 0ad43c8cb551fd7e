"""The network in an ONNX file, run by onnxruntime.

Stage 6.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.inference.onnx.header import LOGITS, OnnxHeader, header_from
from weclip.system.errors import InputError
from weclip.system.files import what_it_is
from weclip.system.untrusted.text import one_line

SUFFIX = ".onnx"

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""What onnxruntime calls devices."""

INPUT, ERRORS_ONLY = "image", 3


class OnnxNetwork:
    """A network; call it on a batch of images.

    Args:
        path: ONNX file that `weclip export` wrote.
        device: `cpu` or `cuda`; None: a GPU where this onnxruntime has one.

    Raises:
        InputError: No such file or device, another file, or onnxruntime is not installed.
    """

    def __init__(self, path: Path, device: str | None = None) -> None:
        self.session = _session(path, _providers(device))
        self.header = header_from(self.session.get_modelmeta().custom_metadata_map, path)

    def __call__(self, image: NDArray[np.float32]) -> NDArray[Any]:
        """The output that `header.output` names, of images (B, 3, H, W) float32 in [0, 255]."""
        output: NDArray[Any] = self.session.run(None, {INPUT: image})[0]
        return output


def open_header(path: Path) -> OnnxHeader:
    """What an ONNX file says of itself; errors as of `OnnxNetwork`."""
    return OnnxNetwork(path, "cpu").header


def require_logits(header: OnnxHeader, path: Path) -> None:
    """InputError for a model that scales, confidence and sizes cannot be computed of."""
    if header.output != LOGITS:
        raise InputError(
            f"{path}: exported with --output {header.output}, for use without weclip; weclip reads "
            f"models exported with --output {LOGITS}"
        )


def _session(path: Path, providers: list[str]) -> Any:
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


def _providers(device: str | None) -> list[str]:
    available = _onnxruntime().get_available_providers()
    if device is None:
        return [name for name in reversed(PROVIDERS.values()) if name in available]
    wanted = PROVIDERS.get(str(device).partition(":")[0], "")
    if wanted not in available:
        known = ", ".join(name for name, each in PROVIDERS.items() if each in available)
        raise InputError(f"device {device}: not one that onnxruntime can use here; known: {known}")
    return list(dict.fromkeys((wanted, PROVIDERS["cpu"])))


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            "an ONNX model needs onnxruntime: pip install 'weclip[onnx]' (or onnxruntime-gpu)"
        ) from None
    return onnxruntime
