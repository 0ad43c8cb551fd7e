"""The method that is trained, from the configuration."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weclip import parts
from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.graphs.cuda import CudaRecorder
from weclip.backbones.graphs.replayed import Graphs
from weclip.backbones.loaded import LoadedBackbones
from weclip.backbones.mit.weights import Mit
from weclip.build.maps import build_maps, cutter, label_settings
from weclip.class_texts import encode_classes
from weclip.config import Config
from weclip.data.classes import ClassList
from weclip.labels.tag_maps import TagMaps
from weclip.methods.method import Ingredients, Method
from weclip.system.errors import InputError
from weclip.system.untrusted.text import one_line


def build_method(config: Config, backbones: LoadedBackbones, classes: ClassList) -> Method:
    """The configured method on loaded backbones, for a class list."""
    clip, dino = backbones.frozen_clip, backbones.dino
    check_crop(config, crop_multiple(config, backbones))
    guide = None if dino is None else dino.image
    if clip is None:
        return compose(config, classes.num_classes, mit=backbones.mit, guide=guide)
    text = encode_classes(config.clip, clip.text, classes, scale=clip.scale)
    return assemble(config, clip.image, text, classes.num_classes, guide)


def assemble(
    config: Config,
    image_encoder: ClipImageEncoder,
    text: TextFeatures,
    num_classes: int,
    guide: DinoImageEncoder | None = None,
) -> Method:
    """The configured method of finished parts on CLIP, for C classes with background."""
    imagenet = config.quirk("imagenet_normalisation")
    maps = build_maps(config, image_encoder, text, imagenet=imagenet, guide=guide)
    return compose(config, num_classes, maps=maps)


def compose(
    config: Config,
    num_classes: int,
    *,
    maps: TagMaps | None = None,
    mit: Mit | None = None,
    guide: DinoImageEncoder | None = None,
) -> Method:
    """The configured method of what it is made of, for C classes with background."""
    part = config.part(parts.METHOD, config.method.name)
    method: Method = part(
        Ingredients(
            num_classes=num_classes,
            frozen_maps=maps,
            labels=label_settings(config),
            losses={name: config.part(parts.LOSS, name) for name in config.loss.terms},
            mit=mit,
            guide=guide,
            regions=cutter(config),
        )
    )
    return method


def load_trained(method: Method, state: Mapping[str, Tensor], path: Path) -> None:
    """Load trained weights read from `path`; InputError if they do not fit the configuration."""
    try:
        method.trained.load_state_dict(state)
    except RuntimeError as error:
        reason = one_line(error)
        raise InputError(
            f"{path}: its weights do not fit the configuration ({reason}); "
            "check data.classes, method.* and clip.weights"
        ) from None


def replay_steps(
    config: Config, method: Any, device: torch.device, warn: Callable[[str], None]
) -> None:
    """Let steps of a method with `maps` replay work, where the configuration says so.

    `warn` is told what cannot be; InputError where the device has no CUDA graphs.
    """
    if not config.train.cuda_graphs:
        return
    if config.regions.files is not None and "regions" in config.reads():
        raise InputError(
            f"train.cuda_graphs=true and regions.files={config.regions.files}: what is read of "
            "regions in files is not replayed; leave train.cuda_graphs out"
        )
    if device.type != "cuda":
        raise InputError(
            f"train.cuda_graphs=true needs a CUDA GPU, and this runs on {device.type}; leave it out"
        )
    method.maps.graphs = Graphs(method.maps, recorder=partial(CudaRecorder, device), warn=warn)


def check_crop(config: Config, multiple: int) -> None:
    """InputError unless the crop is whole patches, or so many as the method asks for."""
    crop = config.data.crop_size
    if isinstance(crop, int) and crop % multiple:  # what `auto` chooses is
        raise InputError(
            f"data.crop_size={crop} is not a multiple of {multiple}, as whole patches are; "
            f"use {crop // multiple * multiple or multiple} or {(crop // multiple + 1) * multiple}"
        )


def crop_multiple(config: Config, backbones: LoadedBackbones) -> int:
    """Pixels that a training crop's side is a multiple of."""
    part = config.KNOWN[parts.METHOD.name, config.method.name]
    own: int | None = getattr(part, "crop_multiple", None)
    if own is not None or backbones.frozen_clip is not None:
        return own or backbones.clip.image.patch_size
    return 1  # a method without crops
