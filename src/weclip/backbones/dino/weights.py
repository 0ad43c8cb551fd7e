"""A frozen DINOv2, or DINO, from weights in whatever format they are published.

Stage 2. Read the tensors, bring their names to those of torch.hub, check every name and shape,
compare with the configuration beside them, fold LayerScale, build the encoder. No code in a weight
file is ever run. What is not computed here is refused by name.
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.dino.configuration import require_computed
from weclip.backbones.dino.image_encoder import EPS, DinoImageEncoder, build_dino
from weclip.backbones.dino.layouts import fold_layer_scale, hub_names, is_hugging_face, our_names
from weclip.backbones.dino.names import plain_names, refuse_plain
from weclip.backbones.dino.whole import check_state
from weclip.backbones.positions import OFFSET
from weclip.backbones.weight_files.folder import WeightFiles, find_weights
from weclip.backbones.weight_files.whole import finite


@dataclass(frozen=True)
class Dino:
    """The frozen encoder of a DINOv2, and what identifies it.

    Attributes:
        image: Image encoder, float32.
        sha256: Hexadecimal digest of the weight file's bytes; of several parts, see
            `WeightFiles.sha256`.
        name: Name of the file or folder it was read from.
        computes: What decides its features beside the weights, in words.
    """

    image: DinoImageEncoder
    sha256: str
    name: str
    computes: str


def load_dino(path: str | PathLike[str]) -> Dino:
    """Read a DINOv2, or a DINO of 2021, in float32 on the CPU. Sizes are read from the weights.

    Args:
        path: A state dict saved by `torch.save`, such as the files of torch.hub; a safetensors
            file; the index of its parts; in the names of torch.hub or Transformers; or a folder of
            Hugging Face.

    Raises:
        InputError: Nothing there, not weights, not the weights of a whole DINOv2, or of one that
            computes in another way; the message names what it is.
    """
    path = Path(path)
    files = find_weights(path)
    image = build_dino(read_dino(files))
    return Dino(image, files.sha256(), path.absolute().name, in_words(image))


def read_dino(files: WeightFiles) -> dict[str, Tensor]:
    """Float32 tensors under our own names, LayerScale folded."""
    file = files.file
    state = plain_names(files.read(), file)
    theirs = is_hugging_face(state)
    if theirs:
        state = hub_names(state, file)
    refuse_plain(state, file)
    sizes = check_state(state, file)
    if theirs:
        require_computed(file, sizes)
    state = our_names(finite(state, file))
    state.pop("mask_token", None)  # stands for patches that only training hides
    state["class_token"] = state["class_token"].flatten()  # (D)
    state["positional_embedding"] = state["positional_embedding"][0]  # (1+M*M, D)
    state["registers"] = state["registers"][0] if sizes.registers else torch.empty(0, sizes.width)
    return fold_layer_scale(state)


def in_words(image: DinoImageEncoder) -> str:
    """All that decides features beside the weights, to be compared by those who keep it."""
    heads = image.transformer.blocks[0].attn.heads
    way = "to their size, with antialiasing" if len(image.registers) else f"by scale + {OFFSET:g}"
    return (
        f"gelu, {heads} heads, epsilon {EPS:g}; positions bicubic {way}; mean and deviation "
        "ImageNet's"
    )
