"""TagCLIP on a random CLIP: the region token against loops, crops, and what each switch does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.end_to_end import worlds
from tests.literal import tag_clip as literal

from weclip.backbones.clip.dense_embedding import value_embedding
from weclip.backbones.clip.region_embedding import region_embedding
from weclip.backbones.clip.weights import Clip, load_clip
from weclip.build import build_tag_clip, tag_threshold
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.methods.tag_clip import TagClip

BASE = ["data.root=none", "clip.weights=none"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return load_clip(worlds.write_clip(tmp_path_factory.mktemp("clip") / "clip.safetensors"))


def build(clip: Clip, *changes: str) -> TagClip:
    return build_tag_clip(load_config("voc", [*BASE, *changes]), clip, load_classes("voc"))


def image(seed: int = 0, size: tuple[int, int] = (40, 56)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def test_the_class_token_sees_its_region_only(clip: Clip):
    pixels = torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    region = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(1)) > 0.6
    region[2] = True
    ours = region_embedding(clip.image, pixels, region)
    for each, seen, found in zip(pixels, region, ours, strict=True):
        expected = literal.region_token(clip.image, each, seen)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(ours[0], region_embedding(clip.image, pixels, region | True)[0])


def test_scores_are_one_for_each_class_and_repeat(clip: Clip):
    for changes in ([], ["tags.released=true"]):
        method = build(clip, *changes)
        scores = method(image())
        assert scores.shape == (20,)
        assert ((scores >= 0) & (scores <= 1)).all()
        assert torch.equal(scores, method(image()))


def test_the_released_form_is_one_key(clip: Clip):
    assert build(clip).settings.self_attention_blocks == 5
    released = build(clip, "tags.released=true").settings
    assert (released.self_attention_blocks, released.reidentify) == (0, True)
    assert tag_threshold(load_config("voc", [*BASE, "tags.released=true"])) == "relative"
    assert tag_threshold(load_config("voc", BASE)) == "split"
    mixed = load_config("voc", [*BASE, "tags.released=true", "tags.threshold=split"])
    assert tag_threshold(mixed) == "split"
    assert not build(clip, "tags.released=true", "tags.reidentify=false").settings.reidentify


def test_local_scores_without_a_mask_are_the_attended_probabilities(clip: Clip):
    """With every pair kept and boxes everywhere, the equation is a product of two matrices."""
    method = build(clip, "tags.self_attention_blocks=0", "tags.votes=0")
    pixels = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    features = clip.image(pixels)
    embedding = value_embedding(clip.image, features.tokens[-1])[0, 1:]
    probabilities = (method.maps.scale * embedding @ method.maps.texts.T).softmax(dim=-1)[:, :20]
    expected = literal.refine_scores(
        probabilities.T.double().numpy(), features.attention[1][0, 1:, 1:].double().numpy(), 6, 6
    )
    found = method.local_scores(pixels)[0].flatten(1).double()
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-8)


def test_looking_again_changes_candidates_and_halves_the_others(clip: Clip):
    local = build(clip, "tags.self_attention_blocks=0")(image())
    both = build(clip, "tags.released=true")(image())
    low, high = local.min(), local.max()
    candidates = local > low + 0.5 * (high - low)
    assert candidates.any()
    assert not candidates.all()
    torch.testing.assert_close(both[~candidates], local[~candidates] / 2)
    assert ((both - local / 2)[candidates] > 0).all()


def test_the_crop_is_where_the_map_is_strong(clip: Clip):
    method = build(clip)
    pixels = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    strong = torch.zeros(1, 6, 6)
    strong[0, 1:3, 2:5] = 1
    chosen = torch.tensor([4])
    found = method.look_again(pixels, strong, chosen)
    outside = pixels.clone()
    outside[:, :, 24:] = 9
    assert torch.equal(found, method.look_again(outside, strong, chosen))
    inside = pixels.clone()
    inside[:, :, 8:24, 16:40] += 1
    assert not torch.equal(found, method.look_again(inside, strong, chosen))
    assert method.look_again(pixels, torch.zeros(1, 6, 6), chosen).isfinite().all()


def test_long_images_are_seen_smaller(clip: Clip):
    method = build(clip)
    method.settings = replace(method.settings, max_side=32)
    assert torch.equal(method(image(size=(64, 64))), method(shrunk(image(size=(64, 64)))))


def shrunk(pixels: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC))


def test_the_clip_stays_as_it_is(clip: Clip, tmp_path: Path):
    before = {name: value.clone() for name, value in clip.image.state_dict().items()}
    scores = build(clip, "tags.released=true")(image())
    assert not scores.requires_grad
    after = clip.image.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
