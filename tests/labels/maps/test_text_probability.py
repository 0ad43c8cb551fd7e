"""Shares of places that tags have, compared with loops over words."""

import math

import torch

from weclip.labels.maps.text_probability import tag_shares
from weclip.labels.pixel_scores import pixel_scores
from weclip.labels.pseudo_label import resize_cam, with_background
from weclip.labels.tag_slots import pack_tags, tag_slots


def unit(*shape, seed):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


TAGS = torch.tensor([[True, False, True], [False, False, False], [False, True, False]])
CLASSES, BACKGROUND = unit(3, 8, seed=1), unit(4, 8, seed=2)


def literal(row, tags, background):
    """CorrCLIP's softmax over all words, a class's best word, divided by the sum of the scores."""
    words = [(tag + 1, CLASSES[tag]) for tag in tags] + [(0, each) for each in background]
    powers = [(name, math.exp(40 * float(row @ word))) for name, word in words]
    total = sum(power for _, power in powers)
    best = {name: max(p / total for n, p in powers if n == name) for name, _ in powers}
    return [best[tag + 1] / sum(best.values()) for tag in tags]


def test_shares_are_those_of_the_words():
    places = unit(3, 5, 8, seed=0)
    found = tag_shares(places, pack_tags(TAGS), CLASSES, BACKGROUND, scale=40)
    for image, row in enumerate(TAGS):
        tags = row.nonzero()[:, 0].tolist()
        for place in range(5):
            expected = literal(places[image, place], tags, BACKGROUND)
            ours = found[image, : len(tags), place]
            torch.testing.assert_close(ours, torch.tensor(expected), rtol=1e-4, atol=1e-6)
        assert not found[image, len(tags) :].any()


def test_without_background_words_the_tags_have_all():
    found = tag_shares(unit(3, 5, 8, seed=0), pack_tags(TAGS), CLASSES, BACKGROUND[:0], scale=40)
    torch.testing.assert_close(found.sum(1), torch.tensor([[1.0] * 5, [0.0] * 5, [1.0] * 5]))


def test_shares_are_neither_scaled_nor_raised():
    """The decision is that of the shares: a tag that is nowhere likely gets no pixel."""
    slots = tag_slots([0, 1], 3)
    shares = torch.tensor([[[[0.30, 0.1]], [[0.05, 0.6]]]])  # of background 0.65 and 0.3
    cam = resize_cam(shares, slots, (1, 2), None)
    assert torch.equal(cam, shares)
    scores = with_background(cam, None)
    torch.testing.assert_close(scores[0, :, 0, 0], torch.tensor([0.65, 0.30, 0.05]))
    made = pixel_scores(shares, slots, (1, 2), eps=1e-7, background_power=1.0, shares=True)
    assert made.label_map().tolist() == [[0, 2]]
    scaled = pixel_scores(shares, slots, (1, 2), eps=1e-7, background_power=1.0)
    assert scaled.label_map().tolist() == [[1, 2]]
