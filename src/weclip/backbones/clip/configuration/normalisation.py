"""Mean and deviation of the images that a CLIP was trained with, where they are not OpenAI's.

Stage 2. LAION's L/14 was trained with 0.5 for all. The encoder of this package is given images in
OpenAI's normalisation; another one is a linear change of the pixels, so it goes into the first
layer, exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD
from weclip.backbones.weight_files.section import OWN, Section

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of red, green and blue, of values from 0 to 1."""

    mean: Channels
    std: Channels

    def is_openais(self) -> bool:
        """Whether it is OpenAI's but for rounding."""
        ours, theirs = (*CLIP_MEAN, *CLIP_STD), (*self.mean, *self.std)
        return all(abs(a - b) < 1e-4 for a, b in zip(ours, theirs, strict=True))


CLIPS = Normalisation(CLIP_MEAN, CLIP_STD)


def read_normalisation(section: Section, mean: str, std: str) -> Normalisation:
    """The normalisation that a section gives under two keys; OpenAI's where it gives none.

    Raises:
        InputError: Not three numbers each, or a deviation of 0.
    """
    if section.content.get("do_normalize") is False:
        return Normalisation((0, 0, 0), (1, 1, 1))
    scale = section.content.get("rescale_factor", 1 / 255)
    if not isinstance(scale, float) or abs(scale * 255 - 1) > 1e-4:
        raise section.error("rescale_factor", f"only 1/255 is computed here; {OWN}")
    means = channels(section, mean, CLIP_MEAN)
    deviations = channels(section, std, CLIP_STD)
    if min(deviations) <= 0:
        raise section.error(std, f"deviations must be over 0; {OWN}")
    return Normalisation(means, deviations)


def channels(section: Section, key: str, default: Channels) -> Channels:
    """Three finite numbers; one stands for all three."""
    value: Any = section.content.get(key)
    if value is None:
        return default
    values = value if isinstance(value, list) else [value] * 3
    if len(values) != 3 or not all(isinstance(v, int | float) and abs(v) < 1e3 for v in values):
        raise section.error(key, f"expected three numbers; {OWN}")
    red, green, blue = map(float, values)
    return red, green, blue


def normalised_for(state: Mapping[str, Tensor], theirs: Normalisation) -> dict[str, Tensor]:
    """The weights that compute the same from images in OpenAI's normalisation.

    With x OpenAI's and z theirs, z = x S/s + (M - m)/s in every channel; M, S are OpenAI's mean and
    deviation, m, s theirs. The first layer W sees each patch once, so W takes the factor, and
    the positions of patches take what W makes of the shift; resizing positions keeps a constant.

    Args:
        state: Float tensors in OpenAI layout.
        theirs: What the weights were trained with.
    """
    if theirs.is_openais():
        return dict(state)
    factor = torch.tensor(CLIP_STD).double() / torch.tensor(theirs.std).double()
    shift = (torch.tensor(CLIP_MEAN).double() - torch.tensor(theirs.mean).double()) / torch.tensor(
        theirs.std
    ).double()
    weight = state["visual.conv1.weight"].double()  # (D, 3, p, p)
    positions = state["visual.positional_embedding"].double().clone()  # (1+N, D)
    positions[1:] += torch.einsum("dcyx,c->d", weight, shift)
    return dict(state) | {
        "visual.conv1.weight": (weight * factor[:, None, None]).float(),
        "visual.positional_embedding": positions.float(),
    }
