"""A trained model as one safetensors file: trained weights, configuration, classes.

Stage 5. Frozen backbones are not duplicated in it, only named with their SHA-256; nothing in the
file can execute.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from weclip.backbones.named import FrozenBackbone, backbone_of
from weclip.backbones.weight_files.safe import read_safetensors
from weclip.data.class_header import classes_of, header_of
from weclip.data.classes import ClassList
from weclip.system.errors import MADE_EARLIER, InputError
from weclip.system.files import what_it_is, write_atomically
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.text import one_line, printable

FORMAT = "weclip-2"
_EARLIER = ("weclip-1",)
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Types of weights."""

MAX_STEPS = 10**12


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Attributes:
        trained: State dict of what the method trains, float32.
        config: Resolved configuration as YAML.
        classes: Class list it was trained for.
        backbones: The frozen backbones it needs, by the method's name for them, such as `clip`.
        step: Training steps behind it.
    """

    trained: dict[str, Tensor]
    config: str
    classes: ClassList
    backbones: dict[str, FrozenBackbone]
    step: int


def save_model_file(path: Path, model: ModelFile) -> None:
    """Write a model file; it appears whole or not at all."""
    metadata = {
        "format": FORMAT,
        "config": model.config,
        "classes": json.dumps(header_of(model.classes)),
        "backbones": json.dumps({name: b._asdict() for name, b in model.backbones.items()}),
        "step": str(model.step),
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.trained.items()}
    content = save(tensors, metadata=metadata)  # writing is left to Python, whose errors tell more
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def read_model_file(path: Path) -> ModelFile:
    """Read a model file.

    Raises:
        InputError: No such file, or not a model file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such model file; give a run folder or its model.safetensors")
    try:
        tensors, metadata = read_safetensors(path)
    except (SafetensorError, OSError) as error:
        reason = what_it_is(path) or one_line(error)
        raise InputError(f"{path}: not a safetensors file ({reason})") from None
    if metadata.get("format") in _EARLIER:
        raise InputError(f"{path}: {MADE_EARLIER}")
    if metadata.get("format") != FORMAT:
        found = one_line(repr(metadata.get("format")))
        raise InputError(
            f"{path}: not a weclip model (its format is {found}, not "
            f"'{FORMAT}'); give the model.safetensors that 'weclip train' wrote"
        )
    require_finite(tensors, path)
    try:
        return ModelFile(
            trained=tensors,
            config=metadata["config"],
            classes=classes_of(parse_json(metadata["classes"], "classes")),
            backbones={
                printable(name): backbone_of(each)
                for name, each in parse_json(metadata["backbones"], "backbones").items()
            },
            step=_step(metadata["step"]),
        )
    except InputError as error:
        raise InputError(f"{path}: damaged model file ({one_line(error)})") from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = one_line(repr(error))
        raise InputError(f"{path}: damaged model file ({reason} in its header)") from None


def require_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """InputError, which names the first weight that is no finite floating-point number."""
    for name, value in tensors.items():
        shown = one_line(name)
        if value.dtype not in FLOATS:
            kind = str(value.dtype).removeprefix("torch.")
            raise InputError(
                f"{path}: its weight {shown} is of type {kind}, and only floating-point weights "
                "are read; give the file that 'weclip train' wrote"
            )
        if not value.isfinite().all():
            raise InputError(
                f"{path}: its weight {shown} has NaN or infinite values; train again, or give an "
                "earlier model"
            )


def _step(text: str) -> int:
    step = int(text)
    if not 0 <= step <= MAX_STEPS:
        raise ValueError(f"step {step}")
    return step
