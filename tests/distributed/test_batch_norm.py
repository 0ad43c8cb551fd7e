"""Batch normalisation of two processes is that of one with both their images."""

import copy

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from weclip.methods.heads.batch_norm import SharedBatchNorm
from weclip.methods.method import total_of_one

SHARES = [slice(0, 1), slice(1, 3)]
"""Images of the two processes: not the same number."""


def images():
    generator = torch.Generator().manual_seed(0)
    return 3 + 2 * torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64)


def pull():
    """What the output is multiplied by, so that gradients differ."""
    return torch.randn(images().shape, generator=torch.Generator().manual_seed(1)).double()


def run(norm, x, share, total):
    """Two training passes over some of the images; results, and gradients of a sum."""
    x = x[share].clone().requires_grad_()
    norm(x.detach() * 2, total)  # running statistics are no longer the first ones
    out = norm(x, total)
    (out * pull()[share]).square().sum().backward()
    return out.detach(), x.grad, norm.weight.grad, norm.bias.grad, norm.state_dict()


def fresh():
    norm = SharedBatchNorm(4).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2, 3, -1]))
    return norm.train()


def all_reduced(tensor):
    summed = tensor.clone()
    dist.all_reduce(summed)
    return summed


def process(rank, folder):
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    torch.save(run(fresh(), images(), SHARES[rank], all_reduced), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_with_unequal_shares(tmp_path):
    mp.spawn(process, (str(tmp_path),), nprocs=2)
    whole = run(fresh(), images(), slice(None), total_of_one)
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for index in (0, 1):  # output, gradient of the images
        joined = torch.cat([part[index] for part in parts])
        torch.testing.assert_close(joined, whole[index], rtol=1e-12, atol=1e-12)
    for index in (2, 3):  # gradients of weights are added up, as the losses are
        summed = parts[0][index] + parts[1][index]
        torch.testing.assert_close(summed, whole[index], rtol=1e-12, atol=1e-12)
    for part in parts:
        for name, value in part[4].items():
            torch.testing.assert_close(value, whole[4][name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_one_process_has_what_pytorch_has(training):
    ours, theirs = fresh(), torch.nn.BatchNorm2d(4).double()
    theirs.load_state_dict(ours.state_dict(), strict=False)
    ours.train(training), theirs.train(training)
    x = images().requires_grad_()
    y = copy.deepcopy(x.detach()).requires_grad_()
    for _ in range(2):
        found, expected = ours(x, total_of_one), theirs(y)
    (found * pull()).square().sum().backward()
    (expected * pull()).square().sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
