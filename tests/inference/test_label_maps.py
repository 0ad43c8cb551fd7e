"""Labels of full images from their tags, and their scores."""

import numpy as np
import pytest
from tests.methods.tiny_weclip import CLASSES, tiny_weclip

from weclip.data.images.full_images import EvalItem
from weclip.inference.label_maps import evaluate_labels, make_label_maps
from weclip.inference.scores.evaluate import Tally
from weclip.methods.labelling import LABEL_KINDS
from weclip.system.errors import InputError


def item(size=(40, 56), tags=(1, 3)):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    return EvalItem("a", image, rng.integers(0, CLASSES, size).astype(np.uint8), tags)


@pytest.mark.parametrize("size", [(40, 56), (7, 90), (33, 35)])
@pytest.mark.parametrize("long_side", [None, 48])
def test_labels_have_the_size_of_the_image(size, long_side):
    maps = make_label_maps(tiny_weclip(), item(size), long_side=long_side, step=0)
    assert maps.label_map.keys() == set(LABEL_KINDS)
    for label_map in maps.label_map.values():
        assert label_map.shape == size
        assert set(label_map.unique().tolist()) <= {0, 2, 4}


def test_without_tags_everything_is_background():
    maps = make_label_maps(tiny_weclip(), item(tags=()), long_side=None, step=0)
    assert not any(label_map.any() for label_map in maps.label_map.values())


def test_unknown_tags_are_an_error():
    with pytest.raises(InputError, match="image a: its data set has no tags"):
        make_label_maps(tiny_weclip(), item(tags=None), long_side=None, step=0)


def test_method_is_left_in_training_and_labels_are_of_eval_mode():
    method = tiny_weclip(dropout=0.9).train()
    first, again = (
        make_label_maps(method, item(), long_side=None, step=0).label_map["pseudo_label"]
        for _ in range(2)
    )
    assert method.trained.training
    assert first.equal(again)


def test_one_pass_scores_every_kind():
    method, scene = tiny_weclip(), item()
    tallies = {kind: Tally(CLASSES) for kind in LABEL_KINDS}
    results = evaluate_labels(method, [scene], tallies=tallies, long_side=None, step=0)
    maps = make_label_maps(method, scene, long_side=None, step=0).label_map
    for kind, result in results.items():
        accuracy = (maps[kind].numpy() == scene.mask).mean()
        assert result.scores.pixel_accuracy == pytest.approx(accuracy)
