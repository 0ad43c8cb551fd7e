"""From configuration to parts; the only file that sees both configuration and classes."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weclip import parts
from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD, ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.dino.weights import Dino
from weclip.backbones.graphs.cuda import CudaRecorder
from weclip.backbones.graphs.replayed import Graphs
from weclip.backbones.imagenet import IMAGENET_MEAN, IMAGENET_STD
from weclip.backbones.loaded import LoadedBackbones
from weclip.backbones.mit.weights import Mit
from weclip.backbones.precision import chosen_precision, store_frozen
from weclip.class_texts import encode_classes, released_texts
from weclip.config import Config
from weclip.data.classes import ClassList
from weclip.inference.prediction import Crf
from weclip.inference.predictor import Predictor
from weclip.labels.dense_crf import dense_crf, installed_crf, load_solver
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.regions.regions import RegionSource
from weclip.labels.tag_maps import TagMaps
from weclip.methods.labelling import LabelSettings
from weclip.methods.method import Ingredients, Method
from weclip.methods.tag_clip import TagClip, TagClipSettings
from weclip.methods.training_free import TrainingFree, TrainingFreeSettings
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
            regions=config.part(parts.REGION_SOURCE, config.regions.source),
        )
    )
    return method


def build_maps(
    config: Config,
    image_encoder: ClipImageEncoder,
    text: TextFeatures,
    *,
    imagenet: bool,
    guide: DinoImageEncoder | None = None,
) -> TagMaps:
    """Maps of tags from the frozen CLIP, and what spreads them.

    Args:
        config: Names of the parts, and their settings.
        image_encoder: The CLIP.
        text: Text features of classes and background words.
        imagenet: Whether CLIP's images get ImageNet's mean and deviation.
        guide: The second encoder, which has its own.
    """
    return TagMaps(
        image_encoder=image_encoder,
        text=text,
        source=config.part(parts.MAP_SOURCE, config.cam.source),
        affinity=config.part(parts.AFFINITY, config.affinity.source),
        mean=IMAGENET_MEAN if imagenet else CLIP_MEAN,
        std=IMAGENET_STD if imagenet else CLIP_STD,
        guide=guide,
        regions=region_source(config),
    )


def region_source(config: Config) -> RegionSource | None:
    """What cuts images into regions, where a part reads them; None where none does."""
    if "regions" not in config.reads():
        return None
    source: RegionSource = config.part(parts.REGION_SOURCE, config.regions.source)
    return source


def label_settings(config: Config) -> LabelSettings:
    """The constants of the pseudo-labels."""
    return LabelSettings(
        min_max_eps=config.cam.min_max_eps,
        background_power=config.cam.background_power,
        par=ParSettings(
            iterations=config.par.iterations,
            dilations=tuple(config.par.dilations),
            colour_width=config.par.colour_width,
            position_width=config.par.position_width,
            position_weight=config.par.position_weight,
        ),
        shares=bool(getattr(config.part(parts.MAP_SOURCE, config.cam.source), "shares", False)),
    )


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
    if device.type != "cuda":
        raise InputError(
            f"train.cuda_graphs=true needs a CUDA GPU, and this runs on {device.type}; leave it out"
        )
    method.maps.graphs = Graphs(method.maps, recorder=partial(CudaRecorder, device), warn=warn)


def build_predictor(config: Config, method: Method) -> Predictor:
    """The method with the test protocol of `config.eval`, where the method is.

    Its frozen encoders compute in the protocol's precision alone from here on.

    Raises:
        InputError: A CRF is asked for but not installed, or the device lacks the precision.
    """
    precision = eval_precision(config, method.device)
    store_frozen(method, precision)
    return Predictor(
        method,
        long_side=config.eval.side,
        scales=tuple(config.eval.scales),
        flip=config.eval.flip,
        scale_merge=config.eval.scale_merge,
        crf=installed_crf() if config.eval.crf else None,
        device=method.device,
        tiling=config.eval.tiling,
        precision=precision,
    )


def eval_precision(config: Config, device: torch.device | str) -> str:
    """In what predictions and scores are computed on a device; errors as in `chosen_precision`."""
    return chosen_precision(config.eval.precision, "eval.precision", device)


def build_training_free(
    config: Config,
    clip: Clip,
    classes: ClassList,
    refiner: Method | None = None,
    guide: Dino | None = None,
) -> TrainingFree:
    """A method without training on a loaded CLIP, for a class list.

    A trained one may refine it, and a second encoder guide it.
    """
    text = encode_classes(config.clip, clip.text, classes, scale=clip.scale)
    return training_free(config, clip.image, text, refiner, None if guide is None else guide.image)


def training_free(
    config: Config,
    image_encoder: ClipImageEncoder,
    text: TextFeatures,
    refiner: Method | None = None,
    guide: DinoImageEncoder | None = None,
) -> TrainingFree:
    """A method without training, of finished parts."""
    use = config.label
    as_trained = refiner is not None and config.quirk("imagenet_normalisation")
    imagenet = use.imagenet_normalisation or as_trained
    return TrainingFree(
        maps=build_maps(config, image_encoder, text, imagenet=imagenet, guide=guide),
        settings=TrainingFreeSettings(
            scale=use.scale, max_side=use.max_side, square=use.square, par=use.par
        ),
        labels=label_settings(config),
        refine=None if refiner is None else refiner.feature_affinity,
    )


def build_tag_clip(config: Config, clip: Clip, classes: ClassList) -> TagClip:
    """TagCLIP on a loaded CLIP, for a class list."""
    if config.tags.released:
        text = released_texts(clip, classes)
    else:
        text = encode_classes(config.clip, clip.text, classes, scale=clip.scale)
    return tag_clip(config, clip.image, text)


def tag_clip(config: Config, image_encoder: ClipImageEncoder, text: TextFeatures) -> TagClip:
    """TagCLIP of finished parts."""
    use = config.tags
    blocks = use.self_attention_blocks
    return TagClip(
        maps=build_maps(config, image_encoder, text, imagenet=False),
        settings=TagClipSettings(
            self_attention_blocks=(0 if use.released else 5) if blocks is None else blocks,
            attention_from=use.attention_from,
            votes=use.votes,
            released_boxes=use.released,
            reidentify=use.released if use.reidentify is None else use.reidentify,
            candidate_share=use.relative_share,
            region_share=use.region_share,
            local_weight=use.local_weight,
            max_side=use.max_side,
        ),
    )


def tag_threshold(config: Config) -> str:
    """`split` or `relative`: how scores become tags."""
    return config.tags.threshold or ("relative" if config.tags.released else "split")


def build_label_crf(config: Config) -> Crf | None:
    """The dense CRF of `config.label`, or None.

    Raises:
        InputError: It is asked for but not installed.
    """
    use = config.label
    if not use.crf:
        return None
    load_solver()
    return partial(
        dense_crf,
        iterations=use.crf_iterations,
        gaussian_sxy=use.crf_gaussian_sxy,
        gaussian_weight=use.crf_gaussian_weight,
        bilateral_sxy=use.crf_bilateral_sxy,
        bilateral_srgb=use.crf_bilateral_srgb,
        bilateral_weight=use.crf_bilateral_weight,
    )


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
