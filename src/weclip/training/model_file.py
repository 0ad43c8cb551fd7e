"""A trained model as one safetensors file: trained weights, configuration, classes.

Stage 5. Frozen backbones are not duplicated in it, only named with their SHA-256; nothing in the
file can execute.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from weclip.data.classes import ClassList
from weclip.data.masks.colours import parse_colour
from weclip.system.errors import MADE_EARLIER, InputError
from weclip.system.files import what_it_is, write_atomically

FORMAT = "weclip-2"
_EARLIER = ("weclip-1",)


class FrozenBackbone(NamedTuple):
    """A frozen backbone that a model needs.

    Attributes:
        name: What it is called, such as `ViT-B/16`.
        sha256: Of its weight file.
        computes: What decides its features beside the weights, in words.
    """

    name: str
    sha256: str
    computes: str


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
        "classes": json.dumps(asdict(model.classes)),
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
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        reason = what_it_is(path) or error
        raise InputError(f"{path}: not a safetensors file ({reason})") from None
    if metadata.get("format") in _EARLIER:
        raise InputError(f"{path}: {MADE_EARLIER}")
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: not a weclip model (its format is {metadata.get('format')!r}, not "
            f"{FORMAT!r}); give the model.safetensors that 'weclip train' wrote"
        )
    try:
        return ModelFile(
            trained=tensors,
            config=metadata["config"],
            classes=_classes(json.loads(metadata["classes"])),
            backbones={
                name: FrozenBackbone(*(str(each[key]) for key in FrozenBackbone._fields))
                for name, each in json.loads(metadata["backbones"]).items()
            },
            step=int(metadata["step"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged model file ({error!r} in its header)") from None


def _classes(header: dict[str, list[Any]]) -> ClassList:
    """The class list of a header: JSON has lists for tuples."""
    prompts = (tuple(each) for each in header.pop("prompts"))
    colours = (parse_colour(each, "colours") for each in header.pop("colours"))
    texts = {key: tuple(values) for key, values in header.items()}
    return ClassList(prompts=tuple(prompts), colours=tuple(colours), **texts)
