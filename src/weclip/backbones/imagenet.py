"""How ImageNet's images are normalised, as DINOv2 and SegFormer want it.

Stage 2.
"""

from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.weight_files.folder import read_object
from weclip.backbones.weight_files.section import Section

PROCESSOR = "preprocessor_config.json"

IMAGENET_MEAN = (123.675 / 255, 116.28 / 255, 103.53 / 255)
IMAGENET_STD = (58.395 / 255, 57.12 / 255, 57.375 / 255)


def per_channel(values: tuple[float, float, float]) -> Tensor:
    """(3, 1, 1) for pixels of 0..255, of numbers for 0..1."""
    return 255 * torch.tensor(values).view(3, 1, 1)


PROCESSED: dict[str, tuple[object, ...]] = {
    "do_normalize": (True,),
    "do_rescale": (True,),
    "image_mean": ([round(each, 3) for each in IMAGENET_MEAN],),
    "image_std": ([round(each, 3) for each in IMAGENET_STD],),
    "rescale_factor": (1 / 255,),
}


def require_processor(file: Path, way_out: str) -> None:
    """Compare Transformers' `preprocessor_config.json` beside weights, if it is there.

    Args:
        file: The weights.
        way_out: What to do where it asks for something else.

    Raises:
        InputError: It asks for another normalisation, or cannot be read.
    """
    path = file.with_name(PROCESSOR)
    if path.is_file():
        section = Section(path, "", read_object(path), way_out)
        others = section.content.keys() - PROCESSED.keys()  # sizes and crops, which are not ours
        section.require(read=(), computed=PROCESSED, ignored=others)
