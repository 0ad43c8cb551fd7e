"""From configuration to parts; the only file that sees both configuration and classes."""

from collections.abc import Mapping
from functools import partial
from importlib import resources
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.clip_image import CLIP_MEAN, CLIP_STD, ClipImageEncoder
from weclip.backbones.clip_text import ClipTextEncoder
from weclip.backbones.clip_weights import Clip
from weclip.config import Config
from weclip.data.classes import ClassList
from weclip.errors import InputError
from weclip.inference.predictor import Crf, Predictor
from weclip.labels.dense_crf import dense_crf, load_solver
from weclip.labels.pixel_refine import ParSettings
from weclip.methods.clip_es import ClipEs, ClipEsSettings
from weclip.methods.decoder import Decoder
from weclip.methods.tag_clip import TagClip, TagClipSettings
from weclip.methods.weclip import LabelSettings, LossSettings, TextFeatures, WeClip

IMAGENET_MEAN = (123.675 / 255, 116.28 / 255, 103.53 / 255)
IMAGENET_STD = (58.395 / 255, 57.12 / 255, 57.375 / 255)


def build_weclip(config: Config, clip: Clip, classes: ClassList) -> WeClip:
    """The whole method on a loaded CLIP, for a class list."""
    check_crop(config, clip.image)
    text = encode_classes(clip.text, classes, config.clip.prompt_template, scale=clip.scale)
    return build_method(config, clip.image, text, build_decoder(config, clip.image, classes))


def encode_classes(
    text_encoder: ClipTextEncoder, classes: ClassList, template: str, *, scale: float
) -> TextFeatures:
    """Text features of the classes and background words, each text put into `template`.

    A class of several prompts has the mean of their unit features, made unit again (prompt
    ensembling; Radford et al. 2021, section 3.1.4).
    """
    prompts = [template.format(text) for texts in classes.prompts for text in texts]
    features = torch.split(text_encoder.encode(prompts), [len(texts) for texts in classes.prompts])
    return TextFeatures(
        classes=torch.cat([each if len(each) == 1 else _mean_unit(each) for each in features]),
        background=text_encoder.encode([template.format(w) for w in classes.background_words]),
        scale=scale,
    )


def _mean_unit(features: Tensor) -> Tensor:
    """(1, J) unit mean of unit rows (P, J)."""
    return F.normalize(features.mean(dim=0, keepdim=True), dim=-1)


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
        image_encoder=image_encoder,
        text=text,
        decoder=decoder,
        labels=label_settings(config),
        losses=LossSettings(
            background_weight=config.loss.background_weight,
            affinity_weight=config.loss.affinity_weight,
            affinity_radius=config.loss.affinity_radius,
        ),
        mean=IMAGENET_MEAN if imagenet else CLIP_MEAN,
        std=IMAGENET_STD if imagenet else CLIP_STD,
    )


def label_settings(config: Config) -> LabelSettings:
    """The constants of the pseudo-labels."""
    return LabelSettings(
        min_max_eps=config.cam.min_max_eps,
        background_power=config.cam.background_power,
        initial_layers=config.affinity.initial_layers,
        refined_layers=config.affinity.refined_layers,
        refine_from=config.affinity.refine_from,
        sinkhorn_rounds=config.affinity.sinkhorn_rounds,
        box_threshold=config.affinity.box_threshold,
        par=ParSettings(
            iterations=config.par.iterations,
            dilations=tuple(config.par.dilations),
            colour_width=config.par.colour_width,
            position_width=config.par.position_width,
            position_weight=config.par.position_weight,
        ),
        signed_layer_distance=config.quirk("signed_layer_distance"),
        exclusive_box_edge=config.quirk("exclusive_box_edge"),
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
    if config.eval.crf:
        load_solver()
    return Predictor(
        method,
        long_side=config.eval.long_side,
        scales=tuple(config.eval.scales),
        flip=config.eval.flip,
        crf=dense_crf if config.eval.crf else None,
        device=method.mean.device,
    )


def build_clip_es(config: Config, clip: Clip, classes: ClassList) -> ClipEs:
    """CLIP-ES on a loaded CLIP, for a class list."""
    labels = label_settings(config)
    return ClipEs(
        image_encoder=clip.image,
        text=encode_classes(clip.text, classes, config.clip.prompt_template, scale=clip.scale),
        settings=ClipEsSettings(
            min_max_eps=labels.min_max_eps,
            background_power=labels.background_power,
            attention_layers=labels.initial_layers,
            sinkhorn_rounds=labels.sinkhorn_rounds,
            box_threshold=labels.box_threshold,
            exclusive_box_edge=labels.exclusive_box_edge,
            max_side=config.label.max_side,
            par=labels.par if config.label.par else None,
        ),
    )


def build_tag_clip(config: Config, clip: Clip, classes: ClassList) -> TagClip:
    """TagCLIP on a loaded CLIP, for a class list."""
    use = config.tags
    blocks = use.self_attention_blocks
    return TagClip(
        image_encoder=clip.image,
        text=encode_classes(clip.text, classes, config.clip.prompt_template, scale=clip.scale),
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
