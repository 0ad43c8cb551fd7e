"""Batch normalisation by the statistics of a step's whole batch, however many processes share it.

Stage 4. `torch.nn.SyncBatchNorm` refuses CPU tensors.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.methods.loss_inputs import Total

EPS, MOMENTUM = 1e-5, 0.1
"""PyTorch's own; AFA's released code has them."""


class _SumOfAll(torch.autograd.Function):
    """The sum over processes of a tensor: each process's share counts in every loss."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, total: Total) -> Tensor:
        ctx.total = total
        return total(own.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.total(gradients[0].contiguous()), None


def sum_of_all(own: Tensor, total: Total) -> Tensor:
    """`total` of a tensor, with a gradient: where losses of processes are added up, of all."""
    return cast(Tensor, _SumOfAll.apply(own, total))  # type: ignore[no-untyped-call]


class SharedBatchNorm(nn.Module):
    """Batch normalisation of channels; running statistics are updated by every training pass.

    Args:
        width: Channels E.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    running_mean: Tensor
    running_var: Tensor

    def forward(self, x: Tensor, total: Total) -> Tensor:
        """Normalise (B, E, h, w), in float32 or finer.

        Args:
            x: The images of this process.
            total: Sums a tensor over the processes.
        """
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            if not self.training:
                stored = (self.running_mean, self.running_var, self.weight, self.bias)
                return F.batch_norm(x, *stored, eps=EPS)
            return self._by_batch(x, total)

    def _by_batch(self, x: Tensor, total: Total) -> Tensor:
        """Sums, squares and count of all processes, about the running mean, which is near."""
        near = self.running_mean.clone()
        away = x - near.view(1, -1, 1, 1)
        count = away.new_full((1,), away.numel() // away.shape[1])
        sums = torch.cat([away.sum((0, 2, 3)), away.square().sum((0, 2, 3)), count])
        sums = sum_of_all(sums, total)
        first, second, count = sums[: len(near)], sums[len(near) : -1], sums[-1]
        offset = first / count
        variance = (second / count - offset.square()).clamp_min(0)
        self._remember(near + offset.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + EPS).rsqrt()
        shift = self.bias - offset * scale
        normalised: Tensor = away * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
        return normalised

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.running_mean.lerp_(mean, MOMENTUM)
        self.running_var.lerp_(variance, MOMENTUM)
