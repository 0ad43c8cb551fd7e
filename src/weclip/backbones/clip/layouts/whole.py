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
from weclip.backbones.weight_files.whole import (
    Shape,
    require_dimensions,
    require_shapes,
    shape,
)
from weclip.system.errors import InputError

WHOLE = "a whole ViT CLIP (names in OpenAI layout)"

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
    require_dimensions(state, DIMENSIONS, WHOLE, file)
    check_counts(state, file)
    require_shapes(state, expected_shapes(state), WHOLE, file)


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


def expected_shapes(state: Mapping[str, Tensor]) -> dict[str, Shape]:
    """All tensors' shapes of the CLIP that has the sizes of this state dict."""
    vocabulary, text_width = state["token_embedding.weight"].shape
    with torch.device("meta"):
        text = ClipTextEncoder(
            width=text_width,
            blocks=count_blocks(state),
            vocabulary=vocabulary,
            context=len(state["positional_embedding"]),
            joint_size=state["visual.proj"].shape[1],
            hidden=hidden_width(state),
        )
    shapes = {name: shape(value) for name, value in text.state_dict().items()}
    return image_shapes(state) | shapes | {"logit_scale": ()}


def image_shapes(state: Mapping[str, Tensor]) -> dict[str, Shape]:
    """The same of the tensors of the image encoder, which are those under `visual.`."""
    visual = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    width, _, patch_size, _ = visual["conv1.weight"].shape
    with torch.device("meta"):
        image = ClipImageEncoder(
            width=width,
            blocks=count_blocks(visual),
            patch_size=patch_size,
            native_grid=max(1, round((len(visual["positional_embedding"]) - 1) ** 0.5)),
            joint_size=visual["proj"].shape[1],
            hidden=hidden_width(visual),
        )
    return {f"visual.{name}": shape(value) for name, value in image.state_dict().items()}
