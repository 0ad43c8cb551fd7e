from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.labels.test_dense_crf import needs_crf

from weclip.inference.label_masks import Scores, label_mask
from weclip.inference.mask_crf import label_probabilities, refine_mask, refine_masks
from weclip.inference.predictor import Predictor
from weclip.labels.dense_crf import dense_crf
from weclip.labels.pixel_scores import PixelScores
from weclip.system.errors import RunError

IMAGE = np.zeros((2, 2, 3), np.uint8)
MASK = np.array([[0, 7], [255, 9]], np.uint8)


def swap_first_two(image, probabilities):
    return probabilities[[1, 0, *range(2, len(probabilities))]]


def forbidden(image, probabilities):
    raise AssertionError("the CRF was called")


def test_certainty_by_hand():
    found = label_probabilities(MASK, np.array([0, 7, 9], np.uint8))
    third = 1 / 3
    expected = [
        [[0.7, 0.15], [third, 0.15]],
        [[0.15, 0.7], [third, 0.15]],
        [[0.15, 0.15], [third, 0.7]],
    ]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_certainty_is_that_of_pydensecrf():
    utils = pytest.importorskip("pydensecrf.utils", reason='pip install "weclip[crf]" to run')
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 4, (9, 11))  # 0 is unsure there
    unary = utils.unary_from_labels(ids, 3, gt_prob=0.7, zero_unsure=True)
    mask = np.array([255, 0, 5, 8], np.uint8)[ids]
    found = label_probabilities(mask, np.array([0, 5, 8], np.uint8))
    np.testing.assert_allclose(-np.log(found).reshape(3, -1), unary, rtol=1e-5)


def test_the_best_of_the_classes_of_the_mask_are_taken():
    refined = refine_mask(swap_first_two, IMAGE, MASK)
    assert refined.dtype == np.uint8
    assert refined.tolist() == [[7, 0], [0, 9]]  # where all are equal the first is best
    assert [m.tolist() for m in refine_masks(swap_first_two, IMAGE, [MASK, MASK])] == [
        refined.tolist(),
        refined.tolist(),
    ]


@pytest.mark.parametrize("values", [[0, 0, 0, 0], [5, 5, 255, 5], [255, 255, 255, 255]])
def test_masks_of_fewer_than_two_classes_stay(values):
    mask = np.array(values, np.uint8).reshape(2, 2)
    assert refine_mask(forbidden, IMAGE, mask).tolist() == mask.tolist()


@needs_crf
def test_an_edge_moves_to_the_edge_of_the_image():
    image = np.full((32, 48, 3), 20, np.uint8)
    image[:, 24:] = 230
    truth = np.where(image[..., 0] > 100, 7, 0).astype(np.uint8)
    mask = np.zeros((32, 48), np.uint8)
    mask[:, 20:] = 7
    mask[4:9, 30:36] = 255
    assert (mask != truth).mean() > 0.08
    refined = refine_mask(dense_crf, image, mask)
    assert (refined != truth).mean() < 0.005
    assert set(np.unique(refined)) == {0, 7}


def test_an_image_that_is_too_large_is_said_before_the_work(monkeypatch):
    """Of a mask, of labels, of a model's probabilities."""
    monkeypatch.setattr("weclip.labels.dense_crf.free_memory", lambda: 100)
    with pytest.raises(RunError, match=r"2 x 2 pixels with 3 classes takes .* in the dense CRF"):
        refine_mask(forbidden, IMAGE, MASK)
    pixels = PixelScores(torch.rand(1, 2, 2), np.array([0, 4], np.uint8), (2, 2), 1.0)
    with pytest.raises(RunError, match="2 x 2 pixels with 2 classes takes"):
        label_mask(IMAGE, Scores(pixels), forbidden, 0)
    predictor = Predictor(lambda x: x[:, :, ::2, ::2], None, (1.0,), flip=False, crf=forbidden)
    with pytest.raises(RunError, match="2 x 2 pixels with 3 classes takes"):
        predictor(IMAGE)
    assert replace(predictor, crf=None)(IMAGE).shape == (2, 2)
