"""DINOv2's encoder as weclip stores it: under our own names, LayerScale folded.

Stage 2.
"""

from pathlib import Path

import torch

from weclip.backbones.clip.image_encoder import count_blocks
from weclip.backbones.dino.image_encoder import HEAD_WIDTH, DinoImageEncoder, build_dino
from weclip.backbones.weight_files.tensors import read_tensors
from weclip.backbones.weight_files.whole import finite, require_dimensions, require_shapes, shape
from weclip.system.errors import InputError

WHOLE = "a whole image tower of DINOv2"
DIMENSIONS = {
    "patch_embedding.weight": 4,
    "class_token": 1,
    "positional_embedding": 2,
    "transformer.resblocks.0.mlp.c_fc.bias": 1,
}
"""The tensors that tell all sizes but the number of registers, which may be 0."""


def read_tower(file: Path) -> DinoImageEncoder:
    """Read an encoder in float32 on the CPU.

    Args:
        file: The tensors of `DinoImageEncoder`, of any floating type.

    Raises:
        InputError: Not the tensors of a whole encoder.
    """
    state = read_tensors(file)
    require_dimensions(state, DIMENSIONS, WHOLE, file)
    if "registers" not in state or state["registers"].ndim != 2:
        raise InputError(f"{file}: not {WHOLE}: missing registers")
    width, blocks = len(state["class_token"]), count_blocks(state)
    if blocks > len(state) or (width > HEAD_WIDTH and width % HEAD_WIDTH):
        raise InputError(f"{file}: not {WHOLE}: width {width}, {blocks} blocks; damaged")
    with torch.device("meta"):
        expected = DinoImageEncoder(
            width=width,
            blocks=blocks,
            patch_size=state["patch_embedding.weight"].shape[-1],
            native_grid=max(1, round((len(state["positional_embedding"]) - 1) ** 0.5)),
            registers=len(state["registers"]),
            hidden=len(state["transformer.resblocks.0.mlp.c_fc.bias"]),
        ).state_dict()
    shapes = {name: shape(value) for name, value in expected.items()}
    require_shapes(state, shapes, WHOLE, file)
    return build_dino(finite(state, file))
