"""The tiny MiT: no drawing kept for validation, no mask is read, and weights as the card says."""

import hashlib
import re
from argparse import Namespace
from importlib import resources
from itertools import islice

import torch
from safetensors.torch import load

from weclip.backbones.mit.weights import read_mit
from weclip.backbones.named import demo_weights

DEMO = resources.files("weclip.demo")


def test_the_weights_are_those_of_the_card_and_load_as_a_mit():
    content = DEMO.joinpath("mit.safetensors").read_bytes()
    assert len(content) < 3_000_000
    card = DEMO.joinpath("mit.md").read_text(encoding="utf-8")
    assert re.findall(r"\b[0-9a-f]{64}\b", card) == [hashlib.sha256(content).hexdigest()]
    assert {value.dtype for value in load(content).values()} == {torch.float16}
    encoder = read_mit(demo_weights("mit")).make_encoder().eval()
    with torch.no_grad():
        found = encoder(torch.randn(2, 3, 128, 96))
    assert found.patch_grid == (8, 6)
    assert found.maps[3].shape == (2, 160, 8, 6)
    assert found.maps[3].std((2, 3)).mean() > 0.1  # patches differ


def test_pictures_of_objects_show_only_drawings_that_training_may_show(tool):
    mit = tool("train_demo_mit")
    for scene in islice(mit.objects_of(7), 40):
        assert scene.image.shape == (64, 64, 3)
        assert len(scene.tags) == 1
        assert not scene.has_unseen_drawing


def test_views_show_the_whole_picture(tool):
    torch.manual_seed(0)
    images = torch.full((4, 3, 128, 128), 100, dtype=torch.uint8)
    images[:, :, 48:80, 48:80] = 0
    views = tool("train_demo_mit").view_of(images, 64)
    assert views.shape == (4, 3, 64, 64)
    assert (views[:, :, 28:36, 28:36] < 60).all(1).flatten(1).any(1).all()  # what is in the middle
    assert views[:, :, 0, 0].min() > 60


def test_scores_count_tags(tool):
    mit = tool("train_demo_mit")
    tags = torch.zeros(60, 19)
    tags[torch.arange(60), torch.arange(60) % 19] = 1

    class Knows(torch.nn.Module):
        def forward(self, images):
            return 2 * tags[images[:, 0, 0, 0].long()] - 1

    numbers = torch.arange(60.0).view(60, 1, 1, 1).expand(60, 3, 4, 4)
    assert set(mit.scores_of(Knows(), numbers, tags).values()) == {1.0}
    missed = mit.scores_of(Knows(), numbers.flip(0), tags)
    assert missed["all tags right"] < 0.2
    assert missed["f1"] == missed["all tags right"]  # one tag an image, always one found


def test_a_short_training(tool, capsys, monkeypatch):
    mit = tool("train_demo_mit")
    monkeypatch.setattr(mit, "PHASES", (mit.Phase(0.5, False, 64, 2), mit.Phase(1.0, True, 96, 2)))
    model = mit.train(Namespace(seed=0, objects=3, scenes=3, steps=4, rate=1e-3))
    untrained = mit.TagClassifier().encoder.norm4.weight
    assert not torch.equal(model.encoder.norm4.weight, untrained)
    assert model.encoder.state_dict().keys() == read_mit(demo_weights("mit")).state.keys()
