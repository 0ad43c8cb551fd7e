"""Images normalised as the CLIP was trained, whatever the mean and deviation."""

import pytest
import torch
from tests.backbones.tiny_clip import (
    HUGGING_FACE,
    OPEN_CLIP,
)

from weclip.backbones.clip.image_encoder import CLIP_MEAN
from weclip.system.errors import InputError

PREPROCESS_REFUSED = {
    "zero": ({"std": [0, 1, 1]}, "deviations must be over 0"),
    "two": ({"mean": [0.5, 0.5]}, "expected three numbers"),
    "text": ({"mean": "imagenet"}, "expected three numbers"),
}


@pytest.mark.parametrize("kind", PREPROCESS_REFUSED)
def test_a_normalisation_that_is_none(kind, load):
    preprocess, message = PREPROCESS_REFUSED[kind]
    with pytest.raises(InputError, match=message):
        load("open_clip_config.json", {"model_cfg": OPEN_CLIP, "preprocess_cfg": preprocess})


def test_pixels_scaled_otherwise_are_refused(load):
    with pytest.raises(InputError, match=r"rescale_factor is 1\.0: only 1/255 is computed"):
        load("config.json", HUGGING_FACE, **{"preprocessor_config.json": {"rescale_factor": 1.0}})


NORMALISED = {
    "three": ("preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5] * 3}),
    "within a processor": (
        "processor_config.json",
        {"image_processor": {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5] * 3}},
    ),
}


@pytest.mark.parametrize("kind", NORMALISED)
def test_the_normalisation_goes_into_the_first_layer(kind, load, state):
    name, content = NORMALISED[kind]
    clip = load("config.json", HUGGING_FACE, **{name: content})
    rgb = torch.rand(1, 3, 12, 12)
    mean = torch.tensor(CLIP_MEAN)[:, None, None]
    std = torch.tensor((0.26862954, 0.26130258, 0.27577711))[:, None, None]
    weight = state["visual.conv1.weight"].float()
    expected = torch.nn.functional.conv2d((rgb - 0.5) / 0.5, weight, stride=4)
    shift = clip.image.positional_embedding[1:] - state["visual.positional_embedding"][1:].float()
    found = clip.image.conv1((rgb - mean) / std) + shift[0][:, None, None]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(
        clip.image.positional_embedding[0], state["visual.positional_embedding"][0].float()
    )


def test_open_clip_names_its_normalisation(load, state):
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    clip = load("open_clip_config.json", {"model_cfg": OPEN_CLIP, "preprocess_cfg": preprocess})
    assert not torch.equal(clip.image.conv1.weight, state["visual.conv1.weight"].float())
