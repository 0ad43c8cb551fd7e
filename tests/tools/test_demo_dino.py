"""The tiny DINO: no drawing kept for validation, views that match, and weights as the card says."""

import hashlib
import re
from argparse import Namespace
from importlib import resources

import numpy as np
import pytest
import torch
from safetensors.torch import load

from weclip.backbones.dino.weights import load_dino
from weclip.backbones.named import demo_weights
from weclip.demo.sprites import CLASS_DRAWINGS, seen_drawings

DEMO = resources.files("weclip.demo")


def test_the_weights_are_those_of_the_card_and_load_as_a_dino():
    content = DEMO.joinpath("dino.safetensors").read_bytes()
    assert len(content) < 4_000_000
    card = DEMO.joinpath("dino.md").read_text(encoding="utf-8")
    assert re.findall(r"\b[0-9a-f]{64}\b", card) == [hashlib.sha256(content).hexdigest()]
    state = load(content)
    assert {value.dtype for value in state.values()} == {torch.float16}
    colours = state["patch_embed.proj.weight"].unbind(1)
    assert torch.equal(colours[0], colours[1])
    assert torch.equal(colours[0], colours[2])
    encoder = load_dino(demo_weights("dino")).image
    found = encoder(torch.randint(256, (2, 3, 128, 96), dtype=torch.uint8))
    assert found.patch_grid == (16, 12)
    assert found.features.shape == (2, 16 * 12, 192)
    assert found.features.isfinite().all()
    assert found.features.std(dim=1).mean() > 0.1  # patches differ


def test_no_drawing_kept_for_validation_is_in_a_picture(tool, tmp_path):
    scenes = tool("demo_dino_scenes")
    kept = {c for name, codes in CLASS_DRAWINGS.items() for c in codes} - {
        c for name in CLASS_DRAWINGS for c in seen_drawings(name)
    }
    assert len(kept) == 11
    coded, named = tmp_path / "coded", tmp_path / "named"
    coded.mkdir()
    named.mkdir()
    for code in kept:
        for variant in ("", "-fe0f", "-1f3fb", "-200d-2640-fe0f"):
            (coded / f"{code}{variant}.png").touch()
    for code in ("1f426", "1f415-200d-1f9ba", "1f355"):
        (coded / f"{code}.png").touch()
    for name in ("poodle", "dove-of-peace", "bird", "Cat-With-Wry-Smile", "foxwry", "pizza"):
        (named / f"{name}.png").touch()
    demo, *others = scenes.training_drawings([coded, named], [])
    assert {path.stem for path in others[0]} == {"1f426", "1f415-200d-1f9ba", "1f355"}
    assert {path.stem for path in others[1]} == {"bird", "pizza"}
    stems = {path.stem for path in demo}
    assert len(stems) > 1000
    assert not {code for stem in stems for code in stem.split("-")} & kept
    assert not any((seen_drawings(name)[-1]) not in stems for name in CLASS_DRAWINGS)


def test_neutral_styles_show_nothing_of_a_class(tool, tmp_path):
    scenes = tool("demo_dino_scenes")
    classes = {c for codes in CLASS_DRAWINGS.values() for c in codes}
    more = {c for codes in tool("demo_drawings").MORE_DRAWINGS.values() for c in codes}
    for code in classes | more | {"1f355"}:
        (tmp_path / f"{code}.png").touch()
    assert [path.stem for path in scenes.training_drawings([], [tmp_path])[-1]] == ["1f355"]


def test_tokens_of_one_view_are_found_at_their_place_in_the_other(tool):
    views, model = tool("demo_dino_views"), tool("demo_dino_model")
    torch.manual_seed(0)
    ramp = (torch.arange(128) + 0.5) / 128
    pictures = torch.stack(
        [ramp.expand(128, 128), ramp[:, None].expand(128, 128), 0.5 * torch.ones(128, 128)]
    ).expand(8, 3, 128, 128)  # red tells x, green y
    seen, other = views.two_views(pictures, 64, (0.4, 0.8), strength=0.0)

    def patches(images):
        means = torch.nn.functional.avg_pool2d(images, 8).flatten(2).transpose(1, 2)
        return torch.nn.functional.normalize(means, dim=2)

    found, inside = model.matching_tokens(patches(other.images), seen, other)
    assert 0.2 < inside.float().mean() < 1
    off = (found - patches(seen.images)).abs().amax(2)
    assert off[inside].quantile(0.9) < 0.06
    assert off[~inside].mean() > off[inside].mean()


def test_outlines_tell_the_direction_of_edges_whatever_the_colours(tool):
    model = tool("demo_dino_model")
    assert model.outlines(torch.full((1, 3, 32, 32), 0.3)).abs().max() == 0
    images = torch.zeros(2, 3, 32, 32)
    images[0, :, :, 12:] = 0.8  # an upright edge in the second column of patches
    images[1, :, 12:] = torch.tensor([0.9, 0.2, 0.1]).view(3, 1, 1)
    upright, level = model.outlines(images).view(2, 16, 8, 3, 3)[:, :, :, 1, 1]
    assert upright.sum((0, 1)) > 0
    assert upright[:, 0].sum() == pytest.approx(upright.sum().item())
    assert level[:, 4].sum() == pytest.approx(level.sum().item())
    assert set(upright[:, 0].nonzero().flatten().tolist()) == {1, 5, 9, 13}
    colourful = model.outlines(1 - images).view(2, 16, 8, 3, 3)[:, :, :, 1, 1]
    torch.testing.assert_close(colourful, torch.stack([upright, level]), atol=0.05, rtol=0)


def test_side_by_side_patches_of_one_picture_are_no_contrast(tool):
    model = tool("demo_dino_model")
    visible = torch.arange(16).expand(2, -1)
    close = model.near(torch.tensor([0, 1, 2, 5, 16, 17]), visible, side=4)
    expected = torch.zeros(6, 6, dtype=torch.bool)
    for one, two in ((0, 1), (0, 3), (1, 2), (1, 3), (2, 3), (4, 5)):
        expected[one, two] = expected[two, one] = True
    assert torch.equal(close, expected)


def test_a_few_steps_lower_the_loss_and_export_what_was_trained(tool, tmp_path):
    training = tool("train_demo_dino")
    rng = np.random.default_rng(0)
    pictures = rng.integers(256, size=(4, 16, 16, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    args = Namespace(out=tmp_path, seed=0, steps=100, rate=0.1, momentum=0.9, save_every=100)
    run = training.Training(args, pictures)
    run.phases = (training.Phase(1.0, 32, 4, (0.4, 0.6)),)
    losses = []
    for _ in range(6):  # nearly the same batch every time
        run.queues = {name: torch.zeros(0, 128) for name in run.queues}
        losses.append(sum(term.item() for term in run.train_step().values()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-2:]) < losses[0] - 0.3
    weight = run.student.encoder.patch_embedding.weight
    assert torch.equal(weight[:, 0], weight[:, 2])  # blind to colour
    torch.testing.assert_close(weight.sum((2, 3)), torch.zeros(192, 3), atol=1e-4, rtol=0)
    run.save()
    encoder = load_dino(tmp_path / "dino.safetensors").image
    trained = run.teacher.encoder.transformer.blocks[0].mlp.c_fc.weight
    torch.testing.assert_close(
        encoder.transformer.blocks[0].mlp.c_fc.weight, trained, atol=1e-3, rtol=1e-3
    )
