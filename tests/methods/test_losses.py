import math

import pytest
import torch
import torch.nn.functional as F
from tests.literal import affinity_loss as literal_affinity
from tests.literal import segmentation_loss as literal_segmentation

from weclip.data.batch import IGNORE_INDEX
from weclip.methods.losses import segmentation
from weclip.methods.losses.affinity import affinity_labels, affinity_loss
from weclip.methods.losses.segmentation import segmentation_loss


def random_labels(batch, size, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (batch, *size), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = IGNORE_INDEX
    return labels


@pytest.mark.parametrize(("grid", "size"), [((2, 3), (8, 9)), ((1, 1), (5, 4)), ((4, 2), (4, 2))])
def test_segmentation_loss_against_literal(grid, size):
    logits = 3 * torch.randn(2, 4, *grid, generator=torch.Generator().manual_seed(0))
    for labels in (
        random_labels(2, size),
        torch.zeros(2, *size).long(),
        torch.ones(2, *size).long(),
    ):
        expected = literal_segmentation.segmentation_loss(logits.numpy(), labels.numpy())
        assert segmentation_loss(logits, labels).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("band", [1, 60, 10**6])
def test_gradient_is_that_of_autograd_whatever_the_band(band, monkeypatch):
    monkeypatch.setattr(segmentation, "BAND", band)
    labels, generator = random_labels(2, (9, 11)), torch.Generator().manual_seed(1)
    logits = torch.randn(2, 4, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    at_pixels = F.interpolate(logits, (9, 11), mode="bilinear", align_corners=False)
    loss = F.cross_entropy(at_pixels, labels, ignore_index=IGNORE_INDEX, reduction="none")
    expected = 0.3 * loss[labels == 0].mean()
    expected = expected + 0.7 * loss[(labels != 0) & (labels != IGNORE_INDEX)].mean()
    (gradient,) = torch.autograd.grad(3 * expected, logits)
    found = segmentation_loss(logits, labels, 0.3)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(3 * found, logits)[0], gradient)


def test_background_weight_moves_from_one_part_to_the_other():
    logits, labels = torch.randn(2, 4, 3, 3), random_labels(2, (9, 9))
    only_background = labels.where(labels == 0, IGNORE_INDEX)
    only_foreground = labels.where(labels != 0, IGNORE_INDEX)
    parts = [segmentation_loss(logits, part) * 2 for part in (only_background, only_foreground)]
    for weight in (0.0, 0.3, 0.5, 1.0):
        expected = weight * parts[0] + (1 - weight) * parts[1]
        torch.testing.assert_close(segmentation_loss(logits, labels, weight), expected)


@pytest.mark.parametrize("label", [0, 2])
def test_empty_half_counts_zero(label):
    """Without a foreground (or background) pixel the loss is half the other term, never NaN."""
    logits = torch.zeros(1, 4, 2, 2, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 8, 8), label))
    assert loss.item() == pytest.approx(0.5 * math.log(4))
    loss.backward()
    assert logits.grad.isfinite().all()
    assert logits.grad.any()


def test_nothing_but_ignored_pixels_is_zero():
    logits = torch.randn(1, 4, 2, 2, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 8, 8), IGNORE_INDEX))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_ignored_pixels_do_not_matter():
    logits = torch.randn(1, 4, 8, 8)
    labels = random_labels(1, (8, 8))
    changed = logits.clone()
    changed[0, :, labels[0] == IGNORE_INDEX] = 50.0
    torch.testing.assert_close(
        segmentation_loss(changed, labels), segmentation_loss(logits, labels)
    )


@pytest.mark.parametrize(
    ("size", "grid", "radius"),
    [((8, 12), (2, 3), 8), ((12, 12), (6, 6), 2), ((20, 4), (10, 2), 8), ((9, 9), (3, 3), 0)],
)
def test_affinity_labels_against_literal(size, grid, radius):
    labels = random_labels(2, size, classes=3)
    ours = affinity_labels(labels, grid, radius)
    for i in range(2):
        expected = literal_affinity.affinity_labels(labels[i].numpy(), grid, radius)
        assert ours[i].tolist() == expected.tolist()
    assert torch.equal(ours, ours.transpose(1, 2))


@pytest.mark.parametrize("grid", [(2, 3), (4, 4)])
def test_affinity_loss_against_literal(grid):
    pairs = affinity_labels(random_labels(2, (16, 24), classes=2), grid, 2)
    affinity = torch.rand(pairs.shape, generator=torch.Generator().manual_seed(0))
    expected = literal_affinity.affinity_loss(affinity.double().numpy(), pairs.numpy())
    assert affinity_loss(affinity, pairs).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("label", [0, 1, IGNORE_INDEX])
def test_affinity_loss_of_one_kind_of_pair_is_finite(label):
    affinity = torch.full((1, 4, 4), 0.25, requires_grad=True)
    loss = affinity_loss(affinity, torch.full((1, 4, 4), label))
    loss.backward()
    expected = {0: 0.5 * 16 * 0.25 / 17, 1: 0.5 * 16 * 0.75 / 17, IGNORE_INDEX: 0.0}
    assert loss.item() == pytest.approx(expected[label])
    assert affinity.grad.isfinite().all()
