"""Whether tensors under SegFormer's names are one whole MiT, and of which size.

Stage 2.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.mit.image_encoder import SCORED, MitEncoder, MitSettings
from weclip.backbones.mit.names import WAY_OUT
from weclip.backbones.weight_files.whole import require_dimensions, require_shapes, shape
from weclip.system.errors import InputError

WHOLE = "a whole MiT (names of SegFormer)"
STAGES = (1, 2, 3, 4)

DIMENSIONS = {f"patch_embed{stage}.proj.weight": 4 for stage in STAGES} | {
    f"block{stage}.0.mlp.fc1.weight": 2 for stage in STAGES
}
"""The tensors that tell all sizes but the reductions, with their numbers of dimensions."""


def settings_of(state: Mapping[str, Tensor], file: Path) -> MitSettings:
    """Read the sizes from the shapes of a MiT.

    Heads are in no shape: every published MiT has 1, 2, 5 and 8.

    Args:
        state: Tensors in SegFormer's names.
        file: Where they come from, for messages.

    Raises:
        InputError: They are no whole MiT: one line with every kind of fault, names and shapes.
    """
    reducing = [f"block{stage}.0.attn.sr.weight" for stage in STAGES]
    wanted = DIMENSIONS | {name: 4 for name in reducing if name in state}
    require_dimensions(state, wanted, WHOLE, file)
    widths = tuple(len(state[f"patch_embed{stage}.proj.weight"]) for stage in STAGES)
    settings = MitSettings(
        widths=widths,
        depths=tuple(count_blocks(state, stage) for stage in STAGES),
        reductions=tuple(state[r].shape[-1] if r in state else 1 for r in reducing),
        mlp_ratio=max(1, len(state["block1.0.mlp.fc1.weight"]) // widths[0]),
    )
    require_computable(settings, file)
    with torch.device("meta"):
        expected = MitEncoder(settings).state_dict()
    shapes = {name: shape(value) for name, value in expected.items()}
    require_shapes(state, shapes, WHOLE, file)
    return settings


def count_blocks(state: Mapping[str, Tensor], stage: int) -> int:
    """Number of blocks of a stage (1 to 4)."""
    found = (re.match(rf"block{stage}\.(\d+)\.", name) for name in state)
    return len({match[1] for match in found if match})


def require_computable(settings: MitSettings, file: Path) -> None:
    """InputError for sizes that no MiT has and that are not computed here."""
    for width, heads in zip(settings.widths, settings.heads, strict=True):
        if width % heads:
            raise InputError(
                f"{file}: a stage has width {width}, not a multiple of {heads}, its heads in every "
                f"MiT; {WAY_OUT}"
            )
    if settings.mlp_ratio == 8:
        raise InputError(
            f"{file}: the wider layers have 8 times the width, as in PVT v2, whose names are the "
            f"same; {WAY_OUT}"
        )
    if settings.reductions[-1] != 1 or settings.depths[-1] < SCORED:
        raise InputError(
            f"{file}: the last stage has {settings.depths[-1]} blocks and reduction "
            f"{settings.reductions[-1]}; every MiT has {SCORED} or more, and 1; {WAY_OUT}"
        )
