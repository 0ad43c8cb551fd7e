"""From a class list to text features."""

import pytest
import torch

from weclip.api import open_clip
from weclip.build import encode_classes
from weclip.config_file import load_config
from weclip.data.classes import load_classes, parse_classes

TEMPLATE = "a clean origami {}."


@pytest.fixture(scope="module")
def text_encoder():
    return open_clip(load_config("demo", ["data.root=."])).text


def features_of(text_encoder, *entries):
    classes = parse_classes({"classes": [*entries], "background_words": ["sky", "sea"]}, "test")
    return encode_classes(text_encoder, classes, TEMPLATE, scale=10.0)


def test_one_prompt_is_encoded_and_nothing_else(text_encoder):
    demo = load_classes("demo")
    features = encode_classes(text_encoder, demo, TEMPLATE, scale=10.0)
    plain = text_encoder.encode([TEMPLATE.format(text) for (text,) in demo.prompts])
    assert torch.equal(features.classes, plain)
    assert features.background.shape == (len(demo.background_words), plain.shape[1])


def test_features_of_several_prompts_are_averaged_and_made_unit(text_encoder):
    texts = ["bird", "bird avian", "flying bird"]
    ensemble = features_of(text_encoder, {"name": "bird", "prompts": texts}, "boat")
    each = features_of(text_encoder, *texts).classes.double()
    mean = (each[0] + each[1] + each[2]) / 3
    expected = mean / mean.norm()
    assert ensemble.classes.shape == (2, each.shape[1])
    torch.testing.assert_close(ensemble.classes[0].double(), expected, atol=1e-6, rtol=0)
    boat = features_of(text_encoder, "boat").classes[0]
    torch.testing.assert_close(ensemble.classes[1], boat, atol=1e-6, rtol=0)
    assert mean.norm() < 0.999  # so the length had to be repaired
