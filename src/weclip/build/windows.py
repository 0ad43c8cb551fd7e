"""CorrCLIP as released, over windows, from the configuration."""

import torch

from weclip import parts
from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.weights import Dino
from weclip.backbones.positions import bicubic, bicubic_by_count
from weclip.class_texts import encode_words
from weclip.config import Config
from weclip.data.classes import ClassList
from weclip.labels.region_attention.words import Words
from weclip.methods.windows.averaged import WindowedRegionAttention
from weclip.methods.windows.cutting import WindowSettings

RELEASED_MEAN = (122.771, 116.746, 104.094)
RELEASED_STD = (68.501, 66.632, 70.323)
"""CLIP's for pixels of 0..255, rounded as CorrCLIP's released code has them."""


def build_windowed(config: Config, clip: Clip, guide: Dino) -> WindowedRegionAttention:
    """CorrCLIP over windows on loaded encoders; `cam.source` is `region_attention`."""
    use = config.windows
    limit = config.label.max_side if use.short_side is None else use.long_side
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (RELEASED_MEAN, RELEASED_STD))
    return WindowedRegionAttention(
        image_encoder=clip.image,
        guide_encoder=guide.image,
        guide=use.guide,
        mean=mean,
        std=std,
        attention=config.part(parts.MAP_SOURCE, config.cam.source).settings,
        windows=WindowSettings(
            short_side=use.short_side,
            long_side=limit,
            side=use.side,
            stride=use.stride,
            multiple=use.multiple,
            ragged=config.quirk("ragged_window"),
        ),
        positions=bicubic_by_count if config.quirk("positions_by_count") else bicubic,
    )


def build_words(config: Config, clip: Clip, classes: ClassList) -> Words:
    """What patches are compared with: every word of every class by itself."""
    text, class_of_word = encode_words(config.clip, clip.text, classes)
    scale: float = config.part(parts.MAP_SOURCE, config.cam.source).scale
    return Words(text, class_of_word, scale)
