"""Text features of classes and background words, as a configuration wants them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.clip.text_encoder import ClipTextEncoder
from weclip.backbones.clip.text_features import (
    TextFeatures,
    cluster,
    enrich,
    mean_unit,
)
from weclip.backbones.clip.tokenizer import imagenet_templates
from weclip.backbones.clip.tower import NoTexts
from weclip.backbones.clip.weights import Clip
from weclip.config import ClipConfig
from weclip.data.class_descriptions import read_descriptions
from weclip.data.classes import ClassList
from weclip.methods.tag_clip import MORE_TEMPLATES, RELEASED_NAMES


def encode_classes(
    config: ClipConfig, encoder: ClipTextEncoder | NoTexts, classes: ClassList, *, scale: float
) -> TextFeatures:
    """Text features of the classes and background words, in all templates, perhaps enriched.

    A class of several prompts or templates has the mean of their unit features, made unit again.
    """
    encode = partial(_encode, encoder, config.templates)
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


def encode_words(
    config: ClipConfig, encoder: ClipTextEncoder | NoTexts, classes: ClassList
) -> tuple[Tensor, tuple[int, ...]]:
    """Each word by itself: those of the background, then every prompt of every class.

    Returns:
        Unit rows (Q, J), each the mean of its templates' made unit again, and the class id of each
        of the Q words; 0 is background.
    """
    words = (classes.background_words, *classes.prompts)
    class_of_word = tuple(index for index, texts in enumerate(words) for _ in texts)
    each = [(text,) for texts in words for text in texts]
    return _encode(encoder, config.templates, each), class_of_word


def _encode(
    encoder: ClipTextEncoder | NoTexts, templates: Sequence[str], things: Sequence[Sequence[str]]
) -> Tensor:
    """(T, J) of things, each of some texts, in each of the templates; all in one pass."""
    prompts = [each.format(text) for texts in things for text in texts for each in templates]
    sizes = [len(texts) * len(templates) for texts in things]
    return torch.stack([mean_unit(rows) for rows in torch.split(encoder.encode(prompts), sizes)])


def released_texts(clip: Clip, classes: ClassList) -> TextFeatures:
    """Texts of TagCLIP as released: plain names in 85 templates, whatever the configuration."""
    templates = (*imagenet_templates(), *MORE_TEMPLATES)
    names = [(RELEASED_NAMES.get(name, name),) for name in classes.names]
    words = [(word,) for word in classes.background_words]
    encode = partial(_encode, clip.text, templates)
    return TextFeatures(encode(names), encode(words), clip.scale)
