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
from weclip.backbones.clip.tokenizer import imagenet_templates
from weclip.backbones.clip.weights import Clip, load_clip
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.dino.weights import load_dino
from weclip.backbones.named import FrozenBackbone
from weclip.build.without_training import build_tag_clip, tag_threshold
from weclip.class_texts import released_texts
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.labels.banks.feature_bank import FeatureBank, digest_of
from weclip.labels.banks.memory import Memory
from weclip.methods.tag_clip import MORE_TEMPLATES, TagClip, crop_box

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


@pytest.mark.parametrize("changes", [[], ["tags.released=true"]])
def test_images_that_go_together_are_scored_as_each_alone(clip: Clip, changes: list[str]):
    method = build(clip, *changes)
    images = [image(seed) for seed in range(3)]
    for found, alone in zip(method.together(images), map(method, images), strict=True):
        torch.testing.assert_close(found, alone, atol=1e-6, rtol=0)


def test_the_released_form_is_one_key(clip: Clip):
    assert build(clip).settings.self_attention_blocks == 5
    released = build(clip, "tags.released=true").settings
    assert (released.self_attention_blocks, released.reidentify) == (0, True)
    assert (released.released_boxes, build(clip).settings.released_boxes) == (True, False)
    assert tag_threshold(load_config("voc", [*BASE, "tags.released=true"])) == "relative"
    assert tag_threshold(load_config("voc", BASE)) == "split"
    mixed = load_config("voc", [*BASE, "tags.released=true", "tags.threshold=split"])
    assert tag_threshold(mixed) == "split"
    assert not build(clip, "tags.released=true", "tags.reidentify=false").settings.reidentify


def test_local_scores_without_a_mask_are_the_attended_probabilities(clip: Clip):
    """With every pair kept and boxes everywhere, the equation is a product of two matrices."""
    method = build(clip, "tags.self_attention_blocks=0", "tags.votes=0")
    view = method.maps.see(torch.from_numpy(image(size=(48, 48))).permute(2, 0, 1)[None].float())
    features = clip.image(view.normalised)
    embedding = value_embedding(clip.image, features.tokens[-1])[0, 1:]
    probabilities = (view.scale * embedding @ view.all_texts.T).softmax(dim=-1)[:, :20]
    expected = literal.refine_scores(
        probabilities.T.double().numpy(), features.attention[1][0, 1:, 1:].double().numpy(), 6, 6
    )
    found = method.refined_scores(view)[0].flatten(1).double()
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-8)


def test_looking_again_changes_candidates_and_leaves_the_others(clip: Clip):
    local = build(clip)(image())
    both = build(clip, "tags.reidentify=true")(image())
    changed = both != local
    assert changed.any()
    assert not changed.all()
    assert local[changed].min() > local[~changed].max()
    assert (both[changed] >= local[changed] / 2).all()


def test_candidates_stand_out_among_all_patches_and_texts(clip: Clip):
    """Background words count too: where one of them is far above, no class is a candidate."""
    method = build(clip, "tags.reidentify=true")
    refined = torch.full((1, 45, 5, 7), 0.1)
    refined[0, 3, 2, 2] = 0.2
    view, plain = method.maps.see(torch.zeros(1, 3, 40, 56)), refined[0, :20].amax(dim=(1, 2))
    looked = []
    method.look_again = lambda _, __, chosen: looked.append(chosen.tolist()) or plain.new_zeros(0)
    method.refined_scores = lambda _: refined
    method.maps.see = lambda *_, **__: view
    assert torch.equal(method(image()), plain)
    refined[0, 40, 0, 0] = 0.9
    assert torch.equal(method(image()), plain)
    assert looked == [[3], []]


def test_the_crop_is_where_the_map_is_strong(clip: Clip):
    method = build(clip)
    pixels = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 255
    strong = torch.zeros(1, 6, 6)
    strong[0, 1:3, 2:5] = 1
    chosen = torch.tensor([4])

    def look(pixels: torch.Tensor) -> torch.Tensor:
        return method.look_again(method.maps.see(pixels), strong, chosen)

    outside, inside = pixels.clone(), pixels.clone()
    outside[:, :, 24:] = 9
    inside[:, :, 8:24, 16:40] += 60
    assert torch.equal(look(pixels), look(outside))
    assert not torch.equal(look(pixels), look(inside))


def test_the_first_empty_crop_ends_the_second_look(clip: Clip):
    """As released; a crop never has the last row and column."""
    method = build(clip)
    view = method.maps.see(torch.zeros(1, 3, 48, 48))
    maps = torch.zeros(3, 6, 6)
    maps[0, 1:3, 2:5] = maps[1, 5] = maps[2, 1:3, 2:5] = 1  # the second is the last row
    assert method.look_again(view, maps, torch.tensor([1, 2, 3])).shape == (1,)
    assert crop_box(maps[0] > 0) == (1, 3, 2, 5)
    assert crop_box(torch.ones(6, 6, dtype=torch.bool)) == (0, 5, 0, 5)
    assert crop_box(torch.zeros(6, 6, dtype=torch.bool)) is None
    assert method.look_again(view, maps[1:2], torch.tensor([1])).shape == (0,)


def test_released_texts_are_plain_names_in_85_templates(clip: Clip):
    templates = (*imagenet_templates(), *MORE_TEMPLATES)
    assert len(templates) == len(set(templates)) == 85
    assert all(template.count("{}") == 1 for template in templates)
    classes = load_classes("coco")
    texts = released_texts(clip, classes)
    row = dict(zip(classes.names, texts.classes, strict=True))["tv"]
    each = clip.text.encode([template.format("tvmonitor") for template in templates])
    expected = torch.nn.functional.normalize(each.double().mean(0), dim=0)
    torch.testing.assert_close(row.double(), expected, rtol=0, atol=1e-5)


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


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> DinoImageEncoder:
    folder = tmp_path_factory.mktemp("dino")
    return load_dino(worlds.write_dino(folder / "dino.safetensors")).image


QUARTERS = np.kron(np.arange(4, dtype=np.int32).reshape(2, 2), np.ones((20, 28), np.int32))
"""Regions of `image()`."""


def remembering(clip: Clip, guide: DinoImageEncoder, own_weight: float, of: bytes) -> TagClip:
    """One whose memory is a row for the first class, of the image with a digest."""
    method = build(clip)
    encoders = {"dino": FrozenBackbone("dino", "0" * 64, "")}
    keys = torch.nn.functional.normalize(torch.ones(1, guide.width), dim=1)
    values, image = method.maps.class_text[:1], torch.zeros(1, dtype=torch.int32)
    bank = FeatureBank(keys, values, image, ["a"], [of], encoders, "guide patches")
    method.maps.memory, method.maps.guide = Memory(bank, 20, own_weight), guide
    return method


def test_a_memory_draws_scores_to_what_it_holds(clip: Clip, guide: DinoImageEncoder):
    plain, other = build(clip)(image()), digest_of(image(1))
    halves = remembering(clip, guide, 0.5, other).together([image()], [QUARTERS])[0]
    alone = remembering(clip, guide, 0.0, other).together([image()], [QUARTERS])[0]
    assert plain[0] < halves[0] < alone[0]
    assert alone.argmax() == 0
    ones = remembering(clip, guide, 1.0, other).together([image()], [QUARTERS])[0]
    torch.testing.assert_close(ones, plain)


def test_an_image_does_not_get_its_own_rows_back(clip: Clip, guide: DinoImageEncoder):
    images = [image(), image(1)]
    method = remembering(clip, guide, 0.0, digest_of(image()))
    found = method.together(images, [QUARTERS, QUARTERS])
    torch.testing.assert_close(found[0], build(clip)(image()))
    assert not torch.allclose(found[1], build(clip)(image(1)))
