"""The terms of the loss that only WeCLIP+ has: dice, and branches that learn from each other."""

import pytest
import torch
import torch.nn.functional as F
from tests.literal import dice_loss as literal
from tests.methods.test_losses import random_labels

from weclip.data.batch import IGNORE_INDEX
from weclip.methods.loss_inputs import LossInputs
from weclip.methods.losses.cross import CrossLoss, predicted_labels
from weclip.methods.losses.dice import DiceLoss, dice_loss, overlap_sums
from weclip.methods.losses.segmentation import segmentation_loss
from weclip.methods.method import total_of_one


def inputs(logits, target, branches=()):
    """What the two losses read."""
    empty = torch.zeros(0)
    return LossInputs(logits, empty, target, empty, None, pseudo_label=target, branches=branches)


def logits_of(*shape, seed=0):
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("grid", "size"), [((2, 3), (8, 9)), ((4, 4), (4, 4)), ((1, 1), (5, 4))])
def test_dice_against_literal(grid, size):
    logits = logits_of(2, 4, *grid)
    at_pixels = F.interpolate(logits, size, mode="bilinear", align_corners=False).double().numpy()
    for labels in (random_labels(2, size), torch.zeros(2, *size).long()):
        expected = literal.dice_loss(at_pixels, labels.numpy())
        found = DiceLoss()(inputs(logits, labels), total_of_one)
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_classes_that_are_nowhere_count_zero():
    """As released: the loss stays above the share of the classes that are not in the batch."""
    labels = torch.zeros(1, 4, 4).long()
    sure = torch.full((1, 5, 4, 4), -100.0)
    sure[:, 0] = 100
    assert dice_loss(overlap_sums(sure, labels), 1e-7).item() == pytest.approx(1 - 1 / 5)


def test_ignored_pixels_are_in_neither_sum_of_dice():
    labels, logits = random_labels(1, (8, 8)), logits_of(1, 4, 8, 8)
    changed = logits.clone()
    changed[0, :, labels[0] == IGNORE_INDEX] = torch.tensor([9.0, -9.0, 0.0, 3.0])[:, None]
    sums = overlap_sums(logits, labels)
    torch.testing.assert_close(overlap_sums(changed, labels), sums)
    assert sums[1].sum().item() == pytest.approx(2 * (labels != IGNORE_INDEX).sum().item())


def test_ignored_pixels_are_in_no_cross_loss():
    target, teacher = random_labels(2, (6, 6)), logits_of(2, 4, 3, 3)
    labels = predicted_labels(teacher, target)
    assert torch.equal(labels == IGNORE_INDEX, target == IGNORE_INDEX)
    resized = F.interpolate(teacher, (6, 6), mode="bilinear", align_corners=False)
    counts = target != IGNORE_INDEX
    assert torch.equal(labels[counts], resized.argmax(1)[counts])


def test_each_branch_learns_from_the_other_alone():
    target = random_labels(2, (6, 6))
    one, other = (logits_of(2, 4, 3, 3, seed=seed).requires_grad_() for seed in (0, 1))
    found = CrossLoss()(inputs(one, target, (one, other)), total_of_one)
    expected = segmentation_loss(one, predicted_labels(other, target))
    expected = expected + segmentation_loss(other, predicted_labels(one, target))
    torch.testing.assert_close(found, expected)
    gradients = torch.autograd.grad(found, (one, other))
    for logits, teacher, gradient in zip((one, other), (other, one), gradients, strict=True):
        alone = segmentation_loss(logits, predicted_labels(teacher, target))
        torch.testing.assert_close(gradient, torch.autograd.grad(alone, logits)[0])


def test_a_branch_that_predicts_one_class_gives_no_nan():
    """An empty half is 0/0 in the released code; its gradient there is 0, and so it is here."""
    target = torch.zeros(1, 4, 4).long()
    one = logits_of(1, 3, 2, 2).requires_grad_()
    teacher = torch.zeros(1, 3, 2, 2)
    teacher[:, 1] = 9  # no background pixel
    loss = CrossLoss()(inputs(one, target, (one, teacher)), total_of_one)
    loss.backward()
    assert loss.isfinite()
    assert one.grad.isfinite().all()
    assert one.grad.any()


@pytest.mark.parametrize("part", [DiceLoss(), CrossLoss()], ids=["dice", "cross"])
@pytest.mark.parametrize("shares", [(slice(0, 1), slice(1, 5)), (slice(0, 3), slice(3, 5))])
def test_losses_of_processes_add_up_to_that_of_the_whole_batch(part, shares):
    """Values and gradients, however the images are shared."""
    target = random_labels(5, (6, 6))
    one, other = logits_of(5, 4, 3, 3), logits_of(5, 4, 3, 3, seed=1)

    def run(rows, total):
        own = [logits[rows].clone().requires_grad_() for logits in (one, other)]
        given = inputs((own[0] + own[1]) / 2, target[rows], tuple(own))
        loss = part(given, total)
        return loss.detach(), torch.stack(torch.autograd.grad(loss, own), 1)

    asked: list[list[torch.Tensor]] = []
    for rows in shares:
        asked.append([])
        run(rows, lambda count, seen=asked[-1]: seen.append(count) or count)
    sums = [sum(counts) for counts in zip(*asked, strict=True)]
    parts = []
    for rows in shares:
        left = iter(sums)
        parts.append(run(rows, lambda _, left=left: next(left)))
    whole, gradient = run(slice(None), total_of_one)
    torch.testing.assert_close(sum(loss for loss, _ in parts), whole)
    torch.testing.assert_close(torch.cat([grad for _, grad in parts]), gradient)


def test_dice_counts_every_pixel_of_large_batches():
    """Pixels are added one by one: in float32 a sum stops at 2^24."""
    labels = torch.zeros(1, 1, 2**24 + 2**20).long()
    both, areas = overlap_sums(torch.full((1, 2, 1, 1), 0.0), labels)
    assert both[0].item() == pytest.approx(0.5 * labels.numel(), rel=1e-6)
    assert areas.tolist() == pytest.approx([1.5 * labels.numel(), 0.5 * labels.numel()], rel=1e-6)
