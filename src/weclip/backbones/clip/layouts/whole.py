"""Whether tensors in OpenAI layout are one whole ViT CLIP: every name, every shape.

Stage 2.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.clip.image_encoder import ClipImageEncoder, count_blocks, hidden_width
from weclip.backbones.clip.text_encoder import ClipTextEncoder
from weclip.backbones.clip.tokenizer import VOCABULARY
from weclip.system.errors import InputError

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


def check_state(state: Mapping[str, Tensor], file: Path) -> None:
    """Make sure that an OpenAI-layout state dict is one whole ViT CLIP.

    Raises:
        InputError: One line with every kind of fault, names and shapes.
    """
    missing = [name for name in DIMENSIONS if name not in state]
    flat = [
        f"{name} (found {shape(state[name])}, expected {dimensions} dimensions, none of them 0)"
        for name, dimensions in DIMENSIONS.items()
        if name in state and (state[name].ndim != dimensions or not state[name].numel())
    ]
    if missing or flat:  # the sizes cannot be read, so the rest is not compared
        raise InputError(faults(file, missing=missing, misshapen=flat))
    check_counts(state, file)

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


def check_counts(state: Mapping[str, Tensor], file: Path) -> None:
    """Raise InputError for another vocabulary, or for blocks that cannot all be there."""
    if (words := len(state["token_embedding.weight"])) != VOCABULARY:
        raise InputError(
            f"{file}: its vocabulary has {words} tokens, not CLIP's {VOCABULARY}, so another "
            "tokenizer cuts its prompts; use a ViT CLIP of OpenAI or OpenCLIP"
        )
    visual = [name.removeprefix("visual.") for name in state if name.startswith("visual.")]
    if (blocks := max(count_blocks(visual), count_blocks(state))) > len(state):
        raise InputError(f"{file}: names block {blocks} but holds {len(state)} tensors; damaged")


def expected_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
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
            hidden=hidden_width(visual),
        )
        text = ClipTextEncoder(
            width=text_width,
            blocks=count_blocks(state),
            vocabulary=vocabulary,
            context=len(state["positional_embedding"]),
            joint_size=visual["proj"].shape[1],
            hidden=hidden_width(state),
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
