"""From configuration to parts; the only file that sees both configuration and classes."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD, ClipImageEncoder
from weclip.backbones.clip.text_encoder import ClipTextEncoder
from weclip.backbones.clip.text_features import TextFeatures, cluster, enrich, mean_unit
from weclip.backbones.clip.weights import Clip
from weclip.config import ClipConfig, Config
from weclip.data.class_descriptions import read_descriptions
from weclip.data.classes import ClassList
from weclip.inference.predictor import Crf, Predictor
from weclip.labels.dense_crf import dense_crf, load_solver
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.tag_maps import MapSettings, TagMaps
from weclip.methods.decoder import Decoder
from weclip.methods.tag_clip import TagClip, TagClipSettings
from weclip.methods.training_free import TrainingFree, TrainingFreeSettings
from weclip.methods.weclip import LabelSettings, LossSettings, WeClip
from weclip.system.errors import InputError

IMAGENET_MEAN = (123.675 / 255, 116.28 / 255, 103.53 / 255)
IMAGENET_STD = (58.395 / 255, 57.12 / 255, 57.375 / 255)


def build_weclip(config: Config, clip: Clip, classes: ClassList) -> WeClip:
    """The whole method on a loaded CLIP, for a class list."""
    check_crop(config, clip.image)
    text = encode_classes(config.clip, clip.text, classes, scale=clip.scale)
    return build_method(config, clip.image, text, build_decoder(config, clip.image, classes))


def encode_classes(
    config: ClipConfig, encoder: ClipTextEncoder, classes: ClassList, *, scale: float
) -> TextFeatures:
    """Text features of the classes and background words, in all templates, perhaps enriched.

    A class of several prompts or templates has the mean of their unit features, made unit again.
    """
    templates = (config.prompt_template, *config.more_templates)
    encode = partial(_encode, encoder, templates)
    features = encode(classes.prompts)
    if config.descriptions is not None:
        sentences = read_descriptions(Path(config.descriptions), classes)
        attributes = encoder.encode(sentences)
        if config.description_clusters is not None:
            attributes = cluster(attributes, config.description_clusters)
        share, weight = config.description_share, config.description_weight
        features = enrich(features, attributes, share=share, weight=weight)
    background = encode([(word,) for word in classes.background_words])
    return TextFeatures(features, background, scale)


def _encode(
    encoder: ClipTextEncoder, templates: Sequence[str], things: Sequence[Sequence[str]]
) -> Tensor:
    """(T, J) of things, each of some texts, in each of the templates; all in one pass."""
    prompts = [each.format(text) for texts in things for text in texts for each in templates]
    sizes = [len(texts) * len(templates) for texts in things]
    return torch.stack([mean_unit(rows) for rows in torch.split(encoder.encode(prompts), sizes)])


def build_decoder(config: Config, image_encoder: ClipImageEncoder, classes: ClassList) -> Decoder:
    """A new decoder that fits the encoder and the classes."""
    return Decoder(
        clip_width=image_encoder.width,
        clip_blocks=image_encoder.depth - 1,
        num_classes=classes.num_classes,
        width=config.decoder.width,
        blocks=config.decoder.blocks,
        heads=config.decoder.heads,
        dropout=config.decoder.dropout,
    )


def build_method(
    config: Config, image_encoder: ClipImageEncoder, text: TextFeatures, decoder: Decoder
) -> WeClip:
    """WeCLIP of finished parts."""
    imagenet = config.quirk("imagenet_normalisation")
    return WeClip(
        maps=build_maps(config, image_encoder, text, imagenet=imagenet),
        decoder=decoder,
        labels=label_settings(config),
        losses=LossSettings(
            background_weight=config.loss.background_weight,
            affinity_weight=config.loss.affinity_weight,
            affinity_radius=config.loss.affinity_radius,
        ),
    )


def build_maps(
    config: Config, image_encoder: ClipImageEncoder, text: TextFeatures, *, imagenet: bool
) -> TagMaps:
    """Maps of tags from the frozen CLIP, and what spreads them; `imagenet`: whose mean and std."""
    return TagMaps(
        image_encoder=image_encoder,
        text=text,
        settings=map_settings(config),
        mean=IMAGENET_MEAN if imagenet else CLIP_MEAN,
        std=IMAGENET_STD if imagenet else CLIP_STD,
    )


def map_settings(config: Config) -> MapSettings:
    """The constants of maps and their affinity."""
    return MapSettings(
        source=config.cam.source,
        affinity=config.affinity.source,
        min_max_eps=config.cam.min_max_eps,
        self_self_blocks=config.cam.self_self_blocks,
        initial_layers=config.affinity.initial_layers,
        refined_layers=config.affinity.refined_layers,
        signed_layer_distance=config.quirk("signed_layer_distance"),
        sinkhorn_rounds=config.affinity.sinkhorn_rounds,
        power=config.affinity.power,
        box_threshold=config.affinity.box_threshold,
        exclusive_box_edge=config.quirk("exclusive_box_edge"),
        temperature=config.affinity.temperature,
    )


def label_settings(config: Config) -> LabelSettings:
    """The constants of the pseudo-labels."""
    return LabelSettings(
        background_power=config.cam.background_power,
        refine_from=config.affinity.refine_from,
        par=ParSettings(
            iterations=config.par.iterations,
            dilations=tuple(config.par.dilations),
            colour_width=config.par.colour_width,
            position_width=config.par.position_width,
            position_weight=config.par.position_weight,
        ),
        par_on_normalised_image=config.quirk("par_on_normalised_image"),
        train_on_padding=config.quirk("train_on_padding"),
    )


def load_decoder(method: WeClip, state: Mapping[str, Tensor], path: Path) -> None:
    """Load decoder weights read from `path`; InputError if they do not fit the configuration."""
    try:
        method.decoder.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: its decoder does not fit the configuration ({reason}); "
            "check data.classes, decoder.* and clip.weights"
        ) from None


def build_predictor(config: Config, method: WeClip) -> Predictor:
    """The method with the test protocol of `config.eval`, where the method is.

    Raises:
        InputError: A CRF is asked for but not installed.
    """
    return Predictor(
        method,
        long_side=config.eval.long_side,
        scales=tuple(config.eval.scales),
        flip=config.eval.flip,
        crf=build_eval_crf(config),
        device=method.device,
    )


def build_training_free(
    config: Config, clip: Clip, classes: ClassList, decoder: nn.Module | None = None
) -> TrainingFree:
    """A method without training on a loaded CLIP, for a class list; `decoder` may refine it."""
    text = encode_classes(config.clip, clip.text, classes, scale=clip.scale)
    return training_free(config, clip.image, text, decoder)


def training_free(
    config: Config,
    image_encoder: ClipImageEncoder,
    text: TextFeatures,
    decoder: nn.Module | None = None,
) -> TrainingFree:
    """A method without training, of finished parts."""
    labels = label_settings(config)
    imagenet = decoder is not None and config.quirk("imagenet_normalisation")  # as it was trained
    return TrainingFree(
        maps=build_maps(config, image_encoder, text, imagenet=imagenet),
        settings=TrainingFreeSettings(
            background_power=labels.background_power,
            scale=config.label.scale,
            max_side=config.label.max_side,
            par=labels.par if config.label.par else None,
        ),
        decoder=decoder,
    )


def build_tag_clip(config: Config, clip: Clip, classes: ClassList) -> TagClip:
    """TagCLIP on a loaded CLIP, for a class list."""
    use = config.tags
    blocks = use.self_attention_blocks
    text = encode_classes(config.clip, clip.text, classes, scale=clip.scale)
    return TagClip(
        maps=build_maps(config, clip.image, text, imagenet=False),
        settings=TagClipSettings(
            self_attention_blocks=(0 if use.released else 5) if blocks is None else blocks,
            attention_from=use.attention_from,
            votes=use.votes,
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


def build_eval_crf(config: Config) -> Crf | None:
    """The dense CRF that models are tested with, or None; errors as in `build_label_crf`."""
    if not config.eval.crf:
        return None
    load_solver()
    return dense_crf


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


def demo_clip() -> Path:
    """Weights of the tiny CLIP that ships for the demo."""
    return Path(str(resources.files("weclip.demo").joinpath("clip.safetensors")))


def check_crop(config: Config, image_encoder: ClipImageEncoder) -> None:
    """InputError unless the crop is whole patches of this CLIP."""
    crop, patch = config.data.crop_size, image_encoder.patch_size
    if crop % patch:
        raise InputError(
            f"data.crop_size={crop} is not a multiple of the CLIP's patch size {patch}; "
            f"use {crop // patch * patch or patch} or {(crop // patch + 1) * patch}"
        )
