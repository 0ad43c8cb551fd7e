"""CLIP-ES against its literal form, and what it promises of sizes, tags and weights."""

import numpy as np
import pytest
import torch
from tests.literal.clip_es import clip_es as literal
from tests.literal.par import par as literal_par
from tests.methods.tiny_weclip import BLOCKS, CLASSES, PATCH, clip_state, text_features

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.build.without_training import training_free
from weclip.config_file import label_methods, load_config
from weclip.methods.labelling import LABEL_KINDS
from weclip.methods.training_free import as_batch, fit_to_patches

CONFIG = (
    "data.root=. clip.weights=. affinity.attention.layers=2 label.max_side=null "
    "par.iterations=2 par.dilations=[1,2]"
).split()
TAGS = (0, 2, 4)
ROUNDING = 1e-3  # of float32: raw maps are tiny, and scaling them to 1 enlarges their last bits


def method(*changes):
    """CLIP-ES with `changes` of the configuration."""
    config = load_config("voc", [*CONFIG, *changes])
    return training_free(config, build_image_encoder(clip_state()), text_features())


def picture(size=(30, 41), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def expected(image, tags, **changes):
    text = text_features()
    state = {name: value.double() for name, value in clip_state().items()}
    given = {"layers": 2, "theta": 0.4} | changes
    texts = (text.classes.double(), text.background.double())
    return literal(state, image, *texts, tags, scale=text.scale, **given)


@pytest.mark.parametrize("size", [(32, 40), (30, 41), (9, 64)])
@pytest.mark.parametrize("tags", [(1,), TAGS])
def test_scores_are_those_of_the_literal_form(size, tags):
    image = picture(size)
    ours = method()(image, tags).scores
    scores = expected(image, tags)
    assert ours.whole().shape == (1 + len(tags), *size)
    assert ours.class_ids.tolist() == [0, *(tag + 1 for tag in tags)]
    assert scores[1:].max() > 0.5  # there is a map to agree on
    np.testing.assert_allclose(ours.whole().numpy(), scores, atol=ROUNDING)


def test_each_number_of_the_method_is_used():
    image = picture()
    numbers = {"affinity.attention.layers": BLOCKS, "affinity.attention.box_threshold": 0.7}
    changes = [f"{k}={v}" for k, v in (numbers | {"cam.background_power": 2}).items()]
    ours = method(*changes)
    scores = expected(image, TAGS, layers=BLOCKS, theta=0.7, power=2.0)
    np.testing.assert_allclose(ours(image, TAGS).scores.whole().numpy(), scores, atol=ROUNDING)
    for other in ({"layers": 2}, {"theta": 0.1}, {"power": 1.0}):
        changed = expected(image, TAGS, **({"layers": BLOCKS, "theta": 0.7, "power": 2.0} | other))
        assert np.abs(changed - scores).max() > 20 * ROUNDING


def test_par_refines_the_scores_by_the_image():
    image = picture((20, 24))
    scores = method("label.par=true")(image, TAGS).scores.whole()
    plain = expected(image, TAGS)
    refined = literal_par(plain, image.transpose(2, 0, 1).astype(float), 2, (1, 2))
    assert np.abs(refined - plain).max() > 0.05
    np.testing.assert_allclose(scores.numpy(), refined, atol=ROUNDING)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (5, 3), (PATCH, PATCH)])
def test_any_size_is_scored(size):
    scores = method("label.max_side=64")(picture(size), TAGS).scores.whole()
    assert scores.shape == (4, *size)
    assert scores.isfinite().all()
    assert (scores >= 0).all()
    assert (scores.sum(0) > 0).all()


@pytest.mark.parametrize("change", ["label.max_side=64", "label.max_side=null", "label.square=48"])
def test_images_are_seen_at_the_size_that_is_told(change):
    labels = method(change)
    for size in ((30, 41), (1, 300), (100, 20)):
        seen = labels.seen(picture(size))
        assert tuple(seen.shape[2:]) == labels.seen_size(size)


def test_without_tags_all_is_background():
    maps = method()(picture(), ())
    assert maps.scores.class_ids.tolist() == [0]
    assert torch.equal(maps.scores.whole(), torch.ones(1, 30, 41))


@pytest.mark.parametrize("name", [each for each in label_methods() if each != "corrclip"])
@pytest.mark.parametrize("changes", [(), ("label.par=true",)])
def test_images_that_go_together_are_scored_as_each_alone(name, changes):
    config = load_config("voc", [*CONFIG, *changes], method=name)
    labels = training_free(config, build_image_encoder(clip_state()), text_features())
    images, tags = [picture((30, 41), seed) for seed in range(4)], [(1,), TAGS, (), (0, 3)]
    together = labels.together(images, tags)
    for found, image, own in zip(together, images, tags, strict=True):
        alone = labels(image, own)
        assert found.scores.class_ids.tolist() == alone.scores.class_ids.tolist()
        torch.testing.assert_close(found.refined, alone.refined, atol=1e-6, rtol=0)
        torch.testing.assert_close(found.scores.whole(), alone.scores.whole(), atol=1e-5, rtol=0)


def test_every_class_at_once():
    tags = tuple(range(CLASSES - 1))
    assert method()(picture(), tags).scores.whole().shape[0] == CLASSES


def test_nothing_is_trained_and_nothing_changes():
    es = method()
    before = {name: value.clone() for name, value in es.state_dict().items()}
    es.train()
    first, second = es(picture(), TAGS), es(picture(), TAGS)
    assert torch.equal(first.scores.whole(), second.scores.whole())
    assert not any(parameter.requires_grad for parameter in es.parameters())
    assert all(torch.equal(before[name], value) for name, value in es.state_dict().items())


@pytest.mark.parametrize(
    ("size", "max_side", "expected_size"),
    [
        ((64, 96), None, (64, 96)),
        ((65, 95), None, (80, 96)),
        ((1, 1), None, (16, 16)),
        ((64, 96), 640, (64, 96)),
        ((3000, 4000), 640, (480, 640)),
        ((1, 5000), 640, (16, 640)),
        ((641, 7), 640, (640, 16)),
        ((900, 900), 650, (656, 656)),
    ],
)
def test_sides_are_whole_patches(size, max_side, expected_size):
    assert fit_to_patches(picture(size), 16, max_side).shape == (*expected_size, 3)


def test_an_image_of_whole_patches_is_left_alone():
    image = picture((32, 48))
    assert fit_to_patches(image, 16) is image


def test_label_maps_are_those_of_its_scores():
    """It speaks the protocol of labellers, as trained methods do."""
    image, free = picture((32, 40)), method()
    maps = free.label_maps(as_batch(image), TAGS, size=(32, 40))
    assert set(maps.label_map) == set(LABEL_KINDS)
    scored = free(image, TAGS).scores
    best = torch.from_numpy(scored.class_ids)[scored.whole().argmax(0)]
    assert torch.equal(maps.label_map["pseudo_label"], best)
    assert torch.equal(maps.label_map["refined_cam"], best)
    assert not torch.equal(maps.label_map["cam"], best)
    refined = method("label.par=true").label_maps(as_batch(image), TAGS, size=(32, 40)).label_map
    assert not torch.equal(refined["pseudo_label"], refined["refined_cam"])
