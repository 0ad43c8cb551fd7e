"""A frozen CLIP from a weight file, in whatever format it is published.

Stage 2. Read the tensors, bring their names to the OpenAI layout, check every name and shape, build
both encoders. No code in a weight file is ever run.
"""

import math
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.clip.hugging_face_layout import (
    check_config,
    is_hugging_face,
    to_openai_layout,
)
from weclip.backbones.clip.image_encoder import (
    HEAD_WIDTH,
    ClipImageEncoder,
    build_image_encoder,
    count_blocks,
)
from weclip.backbones.clip.text_encoder import ClipTextEncoder, build_text_encoder
from weclip.backbones.weight_files.tensors import read_tensors
from weclip.system.errors import InputError
from weclip.system.files import sha256_of

IGNORED = ("input_resolution", "context_length", "vocab_size")
"""Entries of the OpenAI archives that the shapes tell already."""

DIMENSIONS = {
    "visual.conv1.weight": 4,
    "visual.positional_embedding": 2,
    "visual.proj": 2,
    "visual.transformer.resblocks.0.attn.in_proj_weight": 2,
    "token_embedding.weight": 2,
    "positional_embedding": 2,
    "transformer.resblocks.0.attn.in_proj_weight": 2,
}
"""The tensors that tell all sizes, with their number of dimensions."""


@dataclass(frozen=True)
class Clip:
    """Both frozen encoders of a CLIP, and what identifies it.

    Attributes:
        image: Image encoder, float32.
        text: Text encoder, float32.
        scale: Factor of the cosines before the softmax, exp(`logit_scale`), about 100.
        sha256: Hexadecimal digest of the weight file's bytes.
        name: Name of the file or folder it was read from.
    """

    image: ClipImageEncoder
    text: ClipTextEncoder
    scale: float
    sha256: str
    name: str


def load_clip(path: str | PathLike[str]) -> Clip:
    """Read a ViT CLIP in float32 on the CPU.

    Sizes are read from the weights. A weight file does not say its activation: other CLIPs in
    OpenAI layout (LAION's, say, with exact GELU) load but mean something else.

    Args:
        path: An OpenAI `.pt` archive; a state dict saved by `torch.save`; a safetensors file; all
            in OpenAI or Hugging Face names; or a Hugging Face folder with `model.safetensors`.

    Raises:
        InputError: Nothing there, not weights, or not the weights of a whole ViT CLIP; the message
            names what is missing, unexpected or misshapen.
    """
    path = Path(path)
    file = find_weight_file(path)
    state = {
        name: value
        for name, value in read_tensors(file).items()
        if name not in IGNORED and not name.endswith(".attn_mask")
    }
    if path.is_dir() and (path / "config.json").is_file():
        check_config(path / "config.json")
    if is_hugging_face(state):
        state = to_openai_layout(state, file)
    check_state(state, file)
    state = {name: value.float() for name, value in state.items()}
    for name, value in state.items():
        if not value.isfinite().all():
            raise InputError(f"{file}: {name} is not finite; download the weights again")
    return Clip(
        image=build_image_encoder(state),
        text=build_text_encoder(state),
        scale=math.exp(state["logit_scale"].item()),
        sha256=sha256_of(file),
        name=path.absolute().name,
    )


def find_weight_file(path: Path) -> Path:
    """The file itself, or `model.safetensors` of a folder."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give the path of CLIP weights")
    if not path.is_dir():
        return path
    file = path / "model.safetensors"
    if not file.is_file():
        raise InputError(
            f"{path}: the folder has no model.safetensors; "
            "give a Hugging Face CLIP folder or a weight file"
        )
    return file


def check_state(state: dict[str, Tensor], file: Path) -> None:
    """Make sure that an OpenAI-layout state dict is one whole ViT CLIP.

    Raises:
        InputError: One line with every kind of fault, names and shapes.
    """
    if any(name.startswith("visual.layer1.") for name in state):
        raise InputError(f"{file}: a ResNet CLIP; a ViT is needed (B/16, B/32, L/14, L/14@336)")
    missing = [name for name in DIMENSIONS if name not in state]
    flat = [
        f"{name} (found {shape(state[name])}, expected {dimensions} dimensions)"
        for name, dimensions in DIMENSIONS.items()
        if name in state and state[name].ndim != dimensions
    ]
    if missing or flat:  # the sizes cannot be read, so the rest is not compared
        raise InputError(faults(file, missing=missing, misshapen=flat))

    expected = expected_state(state)
    misshapen = [
        f"{name} (found {shape(state[name])}, expected {shape(value)})"
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    misshapen += [
        f"{name} (found {value.dtype}, expected floating point)"
        for name, value in state.items()
        if name in expected and not value.is_floating_point()
    ]
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    if missing or unexpected or misshapen:
        raise InputError(faults(file, missing=missing, unexpected=unexpected, misshapen=misshapen))
    for name in ("visual.class_embedding", "ln_final.weight"):
        width = len(state[name])
        if width > HEAD_WIDTH and width % HEAD_WIDTH:
            raise InputError(f"{file}: {name} has width {width}, not a multiple of {HEAD_WIDTH}")


def expected_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """All tensors, without numbers, of the CLIP that has the sizes of this state dict."""
    visual = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    width, _, patch_size, _ = visual["conv1.weight"].shape
    vocabulary, text_width = state["token_embedding.weight"].shape
    with torch.device("meta"):
        image = ClipImageEncoder(
            width=width,
            blocks=count_blocks(visual),
            patch_size=patch_size,
            native_grid=max(1, round((len(visual["positional_embedding"]) - 1) ** 0.5)),
            joint_size=visual["proj"].shape[1],
        )
        text = ClipTextEncoder(
            width=text_width,
            blocks=count_blocks(state),
            vocabulary=vocabulary,
            context=len(state["positional_embedding"]),
            joint_size=visual["proj"].shape[1],
        )
        expected = {f"visual.{name}": value for name, value in image.state_dict().items()}
        return {**expected, **text.state_dict(), "logit_scale": torch.empty(())}


def faults(file: Path, **names: list[str]) -> str:
    """One line with every fault by kind; of many names only the first ones."""
    kinds = [f"{kind} {listing(found)}" for kind, found in names.items() if found]
    return f"{file}: not a whole ViT CLIP (names in OpenAI layout): {'; '.join(kinds)}"


def listing(names: list[str], most: int = 8) -> str:
    """Names with commas; beyond `most`, how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shape(tensor: Tensor) -> tuple[int, ...]:
    """Shape as a plain tuple, for messages."""
    return tuple(tensor.shape)
