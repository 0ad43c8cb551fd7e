"""Methods of full size on random encoders, and the demo's: what benchmarks measure."""

from typing import Any

import torch

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.build.method import assemble, build_method
from weclip.config import Config, whole
from weclip.config_file import load_config
from weclip.data.batch import Batch
from weclip.data.classes import load_classes
from weclip.tasks.load.backbones import open_backbones


def full_size_afa() -> tuple[Any, Config]:
    """A preset for VOC on a random MiT-B1."""
    from weclip.backbones.mit.image_encoder import SIZES, MitEncoder  # older versions have none
    from weclip.backbones.mit.weights import Mit
    from weclip.build.method import compose

    config = load_config("voc-afa", ["data.root=.", "mit.weights=."])
    start = Mit(SIZES["b1"], MitEncoder(SIZES["b1"]).state_dict(), "", "random")
    return compose(config, load_classes("voc").num_classes, mit=start), config


def full_size_method(preset: str = "voc") -> tuple[Any, Config]:
    """A preset for VOC on a random ViT-B/16 with random text features, and a random ViT-S/14."""
    config = load_config(preset, ["data.root=.", "clip.weights=.", "dino.weights=."])
    encoder = ClipImageEncoder(width=768, blocks=12, patch_size=16, native_grid=14, joint_size=512)
    unit = torch.nn.functional.normalize
    text = TextFeatures(unit(torch.randn(20, 512), dim=1), unit(torch.randn(25, 512), dim=1), 100.0)
    dino = None
    if config.method.name == "weclip_plus":
        dino = DinoImageEncoder(width=384, blocks=12, patch_size=14, native_grid=37)
    return assemble(config, encoder, text, load_classes("voc").num_classes, dino), config


def demo_method() -> tuple[Any, Config]:
    """WeCLIP at the demo's size, with the published affinity, which both forms have."""
    config = load_config("demo", ["data.root=.", "affinity.source=attention"])
    return build_method(config, open_backbones(config), load_classes("demo")), config


def random_batch(config: Config) -> Batch:
    """Random pixels with one, two or three tags an image."""
    size, count = whole(config.data.crop_size), whole(config.train.batch_size)
    classes = len(load_classes(str(config.data.classes)).names)
    tags = torch.zeros(count, classes, dtype=torch.bool)
    for index, row in enumerate(tags):
        row[torch.randperm(len(row))[: 1 + index % 3]] = True
    image = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    return Batch(image, tags, torch.tensor([[0, 0, size, size]] * count), ("",) * count)
