"""Corrected masks are what every method and every loss that reads labels learns from."""

from dataclasses import replace

import pytest
import torch
from tests.methods.contract import METHODS
from tests.methods.tiny_weclip import corrected, make_batch

from weclip.data.batch import Corrected
from weclip.methods.loss_inputs import LossInputs
from weclip.methods.losses.affinity import AffinityLoss
from weclip.methods.losses.dice import DiceLoss
from weclip.methods.losses.segmentation import SegmentationLoss
from weclip.methods.method import total_of_one

LATE = 10**6
"""A step at which every stage of a method is on, such as confident predictions."""


class Reading:
    """A term of the loss that keeps what it is given."""

    weight = 1.0

    def __call__(self, given, total):
        self.given = given
        return given.logits.sum() * 0


@pytest.fixture(params=METHODS, ids=lambda case: case.name)
def method(request):
    return request.param.build().eval()


@pytest.mark.parametrize("step", [0, LATE])
def test_a_corrected_mask_is_the_label(method, step):
    method.losses = {"reading": Reading()}
    plain = method.training_step(make_batch(), step)
    batch = corrected(make_batch())
    output = method.training_step(batch, step)
    given = method.losses["reading"].given
    for labels in (output.target, given.target, given.pseudo_label):
        assert torch.equal(labels[1:], batch.corrected.label_map[1:].long())
        assert torch.equal(labels[0], plain.target[0]) or labels is given.pseudo_label
    assert torch.equal(given.image_weight, torch.tensor([1.0, 2.0, 2.0]))
    assert torch.equal(output.cam, plain.cam)


def test_without_a_corrected_image_nothing_changes(method):
    batch = make_batch()
    size = batch.image.shape[2:]
    none = torch.full((len(batch.image), *size), -1, dtype=torch.int16)
    torch.manual_seed(0)
    expected = method.training_step(batch, LATE)
    torch.manual_seed(0)
    found = method.training_step(replace(batch, corrected=Corrected(none)), LATE)
    assert found.terms.keys() == expected.terms.keys()
    assert all(torch.equal(found.terms[name], value) for name, value in expected.terms.items())


def loss_inputs(rows, weight=None):
    """Random images `rows` of three; `weight` is for how many each counts."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 4, 5, generator=generator)[rows]
    affinity = torch.rand(3, 20, 20, generator=generator)[rows]
    target = torch.randint(0, 4, (3, 8, 10), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.2] = 255
    masks = Corrected(target[rows].short(), weight)
    empty = torch.zeros(0)
    return LossInputs(
        logits, affinity, target[rows], empty, None, pseudo_label=target[rows], corrected=masks
    )


@pytest.mark.parametrize("loss", [SegmentationLoss(), AffinityLoss(radius=2), DiceLoss(eps=1e-9)])
def test_a_weight_is_how_often_an_image_counts(loss):
    often = loss(loss_inputs([0, 1, 1, 1, 2]), total_of_one)
    weighted = loss(loss_inputs([0, 1, 2], torch.tensor([1.0, 3.0, 1.0])), total_of_one)
    torch.testing.assert_close(weighted, often)
    assert not torch.isclose(weighted, loss(loss_inputs([0, 1, 2]), total_of_one))


@pytest.mark.parametrize("loss", [SegmentationLoss(), AffinityLoss(radius=2), DiceLoss()])
def test_weighted_losses_of_processes_add_up(loss):
    weight = torch.tensor([1.0, 3.0, 0.5])
    shares = [loss_inputs([0, 1], weight[:2]), loss_inputs([2], weight[2:])]
    asked: list[list[torch.Tensor]] = []
    for share in shares:  # first what each process would hand over
        asked.append([])
        loss(share, lambda value, to=asked[-1]: to.append(value) or value)
    sums = [sum(values) for values in zip(*asked, strict=True)]
    found = []
    for share in shares:
        given = iter(sums)
        found.append(loss(share, lambda _, given=given: next(given)))
    torch.testing.assert_close(
        torch.stack(found).sum(), loss(loss_inputs([0, 1, 2], weight), total_of_one)
    )
