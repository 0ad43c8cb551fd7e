"""A whole AFA of random weights, small enough to train in a test."""

import torch
from tests.methods.tiny_weclip import CLASSES, tiny_config

from weclip.backbones.mit.image_encoder import MitEncoder, MitSettings
from weclip.backbones.mit.weights import Mit
from weclip.build.method import compose

SIZES = MitSettings(
    widths=(8, 16, 16, 16), depths=(1, 1, 1, 2), heads=(1, 2, 2, 4), reductions=(4, 2, 1, 1)
)


def random_mit() -> Mit:
    torch.manual_seed(1)
    state = MitEncoder(SIZES).state_dict()
    for name, weight in state.items():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3 if "proj" not in name else 0.1)
    return Mit(SIZES, state, "0" * 64, "tiny")


def afa_config(**quirks):
    """As `tiny_config`, of AFA, all of whose losses count from the first step."""
    config = tiny_config(**quirks)
    config.method.name = "afa"
    config.loss.terms = ("classification", "segmentation", "affinity")
    use = config.method.afa
    use.width, use.classification_only_until, use.initial_labels_until = 16, -1, 2
    return config


def tiny_afa(config=None):
    """AFA on a random MiT; the same weights every time."""
    mit = random_mit()
    torch.manual_seed(0)
    return compose(config or afa_config(), CLASSES, mit=mit)
