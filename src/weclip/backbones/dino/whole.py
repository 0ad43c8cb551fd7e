"""Whether tensors under the hub's names are one whole DINOv2: every name, every shape.

Stage 2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from weclip.backbones.dino.image_encoder import HEAD_WIDTH
from weclip.backbones.weight_files.whole import Shape, require_dimensions, require_shapes
from weclip.system.errors import InputError

WHOLE = "a whole DINOv2 (names of torch.hub)"

DIMENSIONS = {
    "cls_token": 3,
    "pos_embed": 3,
    "patch_embed.proj.weight": 4,
    "blocks.0.mlp.fc1.weight": 2,
}
"""The tensors that tell all sizes, with their number of dimensions."""


@dataclass(frozen=True)
class Sizes:
    """What the shapes of a DINOv2 tell.

    Attributes:
        width: Channels D.
        blocks: Number of blocks.
        hidden: Channels of the blocks' wider layer.
        patch: Pixels per patch side.
        grid: Patches per side that positions are stored for.
        registers: Tokens between class token and patches.
    """

    width: int
    blocks: int
    hidden: int
    patch: int
    grid: int
    registers: int

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        return max(1, self.width // HEAD_WIDTH)


def check_state(state: Mapping[str, Tensor], file: Path) -> Sizes:
    """Make sure that a state dict is one whole DINOv2.

    Raises:
        InputError: One line with every kind of fault, names and shapes.
    """
    wanted = DIMENSIONS | ({"register_tokens": 3} if "register_tokens" in state else {})
    require_dimensions(state, wanted, WHOLE, file)
    sizes = sizes_of(state)
    scaled = any(name.endswith((".ls1.gamma", ".ls2.gamma")) for name in state)
    expected = shapes_of(sizes, scaled=scaled, masked="mask_token" in state)
    require_shapes(state, expected, WHOLE, file)
    if sizes.width > HEAD_WIDTH and sizes.width % HEAD_WIDTH:
        raise InputError(
            f"{file}: cls_token has width {sizes.width}, not a multiple of {HEAD_WIDTH}, the width "
            "of an attention head in every DINOv2"
        )
    return sizes


def sizes_of(state: Mapping[str, Tensor]) -> Sizes:
    """Read the sizes from the shapes."""
    blocks = {found[1] for name in state if (found := re.match(r"blocks\.(\d+)\.", name))}
    registers = state.get("register_tokens")
    return Sizes(
        width=state["cls_token"].shape[-1],
        blocks=len(blocks),
        hidden=state["blocks.0.mlp.fc1.weight"].shape[0],
        patch=state["patch_embed.proj.weight"].shape[-1],
        grid=max(1, round((state["pos_embed"].shape[1] - 1) ** 0.5)),
        registers=0 if registers is None else registers.shape[1],
    )


def shapes_of(sizes: Sizes, *, scaled: bool, masked: bool) -> dict[str, Shape]:
    """All names of the hub with their shapes.

    Args:
        sizes: Of the model.
        scaled: Whether it has LayerScale.
        masked: Whether its mask token, which only its training needs, is stored.
    """
    width = sizes.width
    shapes: dict[str, Shape] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + sizes.grid**2, width),
        "patch_embed.proj.weight": (width, 3, sizes.patch, sizes.patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    if sizes.registers:
        shapes["register_tokens"] = (1, sizes.registers, width)
    if masked:
        shapes["mask_token"] = (1, width)
    layers = {
        "attn.qkv": (3 * width, width),
        "attn.proj": (width, width),
        "mlp.fc1": (sizes.hidden, width),
        "mlp.fc2": (width, sizes.hidden),
    }
    for index in range(sizes.blocks):
        block = f"blocks.{index}."
        for name, (rows, columns) in layers.items():
            shapes |= {f"{block}{name}.weight": (rows, columns), f"{block}{name}.bias": (rows,)}
        for part in ("1", "2"):
            shapes |= {f"{block}norm{part}.{kind}": (width,) for kind in ("weight", "bias")}
            if scaled:
                shapes[f"{block}ls{part}.gamma"] = (width,)
    return shapes
