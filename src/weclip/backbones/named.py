"""How a model names the frozen backbones that it needs; no PyTorch is needed here.

Stage 2.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from weclip.system.untrusted.text import printable


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


def backbone_of(header: Mapping[str, Any]) -> FrozenBackbone:
    """The backbone that a model's header names.

    Raises:
        KeyError: The header lacks something.
        ValueError: As `printable`.
    """
    return FrozenBackbone(*(printable(header[key]) for key in FrozenBackbone._fields))


def demo_weights(backbone: str) -> Path:
    """Weights that ship for the demo, of the tiny `clip` or the tiny `dino`."""
    return Path(str(resources.files("weclip.demo").joinpath(f"{backbone}.safetensors")))
