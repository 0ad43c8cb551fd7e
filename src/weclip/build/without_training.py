"""What makes masks and tags without training, from the configuration."""

from functools import partial

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.dino.weights import Dino
from weclip.build.maps import build_maps, label_settings
from weclip.class_texts import encode_classes, released_texts
from weclip.config import Config
from weclip.data.classes import ClassList
from weclip.inference.prediction import Crf
from weclip.labels.dense_crf import dense_crf, load_solver
from weclip.methods.method import Method
from weclip.methods.tag_clip import TagClip, TagClipSettings
from weclip.methods.training_free import TrainingFree, TrainingFreeSettings


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
    return TagClip(
        maps=build_maps(config, image_encoder, text, imagenet=False),
        settings=TagClipSettings(
            self_attention_blocks=tags_blocks(config),
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


def tags_blocks(config: Config) -> int:
    """Blocks whose self-self attention makes the patch embedding of tags; 0: the last's values."""
    blocks = config.tags.self_attention_blocks
    return (0 if config.tags.released else 5) if blocks is None else blocks


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
