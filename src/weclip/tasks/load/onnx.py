"""Open a model as ONNX, without PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from weclip.config_changes import Change
from weclip.config_file import config_without_parts
from weclip.data.images.listing import AUTO
from weclip.inference.onnx.header import OnnxHeader
from weclip.inference.onnx.network import OnnxNetwork, require_logits
from weclip.inference.onnx.predictor import OnnxPredictor
from weclip.labels.dense_crf import installed_crf
from weclip.system.distributed import chosen_device
from weclip.system.errors import InputError
from weclip.tasks.load.opening import Opened
from weclip.tasks.public.calls.arguments import keys_of

KNOWN = ("eval.", "data.max_pixels=", "data.bands=", "data.range=")
"""Keys that may be changed; all else is fixed in the file."""

COMPUTES = {"float32": "float32", "float16": "fp16"}
"""What `eval.precision` calls the precisions of such files."""


def open_onnx(path: Path, overrides: Sequence[Change], device: str | None = None) -> Opened:
    """Open a model that `weclip export` wrote.

    Args:
        path: ONNX file.
        overrides: Changes of `KNOWN` keys.
        device: `cpu`, `cuda` or `cuda:1`; None: the one that was chosen, or a GPU if onnxruntime
            has one.

    Raises:
        InputError: It is no such file or was exported for other use; a change cannot be made, or
            the device not be used; or onnxruntime is not installed.
    """
    for key in keys_of(overrides):
        if not key.startswith(KNOWN):
            raise InputError(
                f"{path}: {key.rstrip('=')} is fixed in an ONNX model; only eval.*, "
                "data.max_pixels, data.bands and data.range can be changed"
            )
    network = OnnxNetwork(path, device or chosen_device())
    header = network.header
    require_logits(header, path)
    tested = {"precision": AUTO, **header.tested}
    sections = {"eval": tested, "data": dict(header.data)}
    config = config_without_parts(sections, overrides, str(path))
    config.eval.precision = _precision(config.eval.precision, header, path)
    predictor = OnnxPredictor(
        network,
        long_side=config.eval.side,
        scales=tuple(config.eval.scales),
        flip=config.eval.flip,
        crf=installed_crf() if config.eval.crf else None,
        tiling=config.eval.tiling,
        scale_merge=config.eval.scale_merge,
        on_cpu=network.on_cpu,
    )
    return Opened(
        path, header.classes, header.backbones, config, predictor, network.device, "onnxruntime"
    )


def _precision(choice: str, header: OnnxHeader, path: Path) -> str:
    """In what the file computes; InputError if another precision is asked for."""
    computes = COMPUTES[header.precision]
    if choice not in (AUTO, computes):
        raise InputError(
            f"{path}: eval.precision={choice} is asked for, but the file computes in {computes}; "
            "leave it out, or export the model with another --precision"
        )
    return computes
