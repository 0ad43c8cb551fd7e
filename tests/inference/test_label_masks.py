"""Decisions on pixels: shares of scores, unsure pixels, the CRF's place, order of a stream."""

from pathlib import Path

import numpy as np
import pytest

from weclip.data.batch import TaggedImage
from weclip.inference.label_masks import (
    BackgroundUnder,
    HeldPixels,
    Scores,
    label_mask,
    label_stream,
)

IMAGE = np.zeros((1, 4, 3), np.uint8)
SCORES = np.array([[[0.9, 0.2, 0.5, 0.0]], [[0.1, 0.8, 0.5, 0.5]], [[0.0, 0.6, 0.0, 0.3]]])
IDS = np.array([0, 3, 7], np.uint8)


def scores_of(values):
    return Scores(HeldPixels(values, IDS))


def swap(image, probabilities):
    """Stands for a CRF: the last two classes change places. At the top, since it is pickled."""
    np.testing.assert_allclose(probabilities.sum(0), 1)
    return probabilities[[0, 2, 1]]


def test_the_best_score_wins_and_its_share_is_the_confidence():
    mask = label_mask(IMAGE, scores_of(SCORES), None, 0)
    assert mask.label_map.dtype == np.uint8
    assert mask.label_map.tolist() == [[0, 3, 0, 3]]
    assert mask.confidence == pytest.approx((0.9 + 0.5 + 0.5 + 0.625) / 4)


def test_pixels_under_the_threshold_are_unsure():
    mask = label_mask(IMAGE, scores_of(SCORES), None, 0.6)
    assert mask.label_map.tolist() == [[0, 255, 255, 3]]
    assert mask.confidence == label_mask(IMAGE, scores_of(SCORES), None, 0).confidence
    assert label_mask(IMAGE, scores_of(SCORES), None, 0.5).label_map.tolist() == [[0, 3, 0, 3]]


def test_the_crf_gets_probabilities_and_decides():
    assert label_mask(IMAGE, scores_of(SCORES), swap, 0).label_map.tolist() == [[0, 7, 0, 7]]


def test_background_alone_needs_no_crf():
    alone = Scores(HeldPixels(np.ones((1, 1, 4), np.float32), IDS[:1]))
    mask = label_mask(IMAGE, alone, lambda image, values: pytest.fail("called"), 0.95)
    assert (mask.label_map.tolist(), mask.confidence) == ([[0, 0, 0, 0]], 1.0)


def test_background_where_no_score_reaches_the_least():
    """As released by CorrCLIP: the best score of all decides, background's too."""
    values = SCORES.astype(np.float32)
    pixels = BackgroundUnder(HeldPixels(values, IDS), 0.55)
    assert label_mask(IMAGE, Scores(pixels), None, 0).label_map.tolist() == [[0, 3, 0, 0]]
    equal = BackgroundUnder(HeldPixels(values, IDS), 0.5)  # it is reached
    assert label_mask(IMAGE, Scores(equal), None, 0).label_map.tolist() == [[0, 3, 0, 3]]
    named = TaggedImage("a", Path("a.png"), (0,)), IMAGE
    ((_, mask),) = label_stream(Rolled(), [named], crf=None, threshold=0, background_under=0.55)
    assert mask.label_map.tolist() == [[0, 3, 0, 0]]


class Rolled:
    """Scores that depend on the tag; every second image is seen at another size."""

    batch_pixels = 100

    def size_of(self, named):
        return (5, 4 + named[0].tags[0] % 2)

    def __call__(self, batch):
        assert len({self.size_of(named) for named in batch}) == 1
        for image, pixels in batch:
            assert (pixels == image.tags[0]).all()
        return [scores_of(np.roll(SCORES, image.tags[0], axis=2)) for image, _ in batch]


@pytest.mark.parametrize("crf", [None, swap])
def test_a_stream_keeps_the_order(crf):
    images = [(TaggedImage(str(i), Path(f"{i}.png"), (i,)), IMAGE + i) for i in range(7)]
    found = list(label_stream(Rolled(), images, crf=crf, threshold=0.55, processes=2))
    assert [named[0].name for named, _ in found] == list("0123456")
    for i, (_, mask) in enumerate(found):
        wanted = label_mask(IMAGE, scores_of(np.roll(SCORES, i, axis=2)), crf, 0.55)
        assert mask.label_map.tolist() == wanted.label_map.tolist()
        assert mask.confidence == wanted.confidence
