"""CLIP's image encoder alone, as weclip stores it: no texts, no configuration beside it.

Stage 2. The tensors are those of the encoder as it computes here, in OpenAI names under `visual.`:
another normalisation of the images is in them already (`configuration/normalisation.py`).
"""

from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.clip.image_encoder import ClipImageEncoder, build_image_encoder, count_blocks
from weclip.backbones.clip.layouts.whole import DIMENSIONS, image_shapes
from weclip.backbones.transformer import BlockSettings
from weclip.backbones.weight_files.tensors import read_tensors
from weclip.backbones.weight_files.whole import finite, require_dimensions, require_shapes
from weclip.system.errors import InputError

PREFIX = "visual."
WHOLE = "a whole image tower of CLIP"


def tower_of(encoder: ClipImageEncoder) -> tuple[dict[str, Tensor], BlockSettings]:
    """Tensors of an encoder by their stored names, float32, and how its blocks compute."""
    block = encoder.transformer.blocks[0]
    names = {f"{PREFIX}{name}": value for name, value in encoder.state_dict().items()}
    return names, BlockSettings(encoder.heads, block.mlp.activation, block.ln_1.eps)


def read_tower(file: Path, settings: BlockSettings) -> ClipImageEncoder:
    """Read an image encoder in float32 on the CPU.

    Args:
        file: Its tensors, of any floating type.
        settings: How its blocks compute.

    Raises:
        InputError: Not the tensors of a whole encoder, or of one with other heads.
    """
    state = read_tensors(file)
    sizes = {name: count for name, count in DIMENSIONS.items() if name.startswith(PREFIX)}
    require_dimensions(state, sizes, WHOLE, file)
    visual = [name.removeprefix(PREFIX) for name in state if name.startswith(PREFIX)]
    if (blocks := count_blocks(visual)) > len(state):
        raise InputError(f"{file}: names block {blocks} but holds {len(state)} tensors; damaged")
    require_shapes(state, image_shapes(state), WHOLE, file)
    width = state[f"{PREFIX}conv1.weight"].shape[0]
    if width % settings.heads:
        raise InputError(f"{file}: its width {width} is no multiple of {settings.heads} heads")
    return build_image_encoder(finite(state, file), settings)


class NoTexts(torch.nn.Module):
    """Stands for the text encoder where there is only a tower: nothing can be computed with it."""

    def encode(self, prompts: object) -> Tensor:
        """Rows (P, 0) of P prompts, which fit no image feature, so that a use of them fails."""
        assert isinstance(prompts, list | tuple)
        return torch.empty(len(prompts), 0)
