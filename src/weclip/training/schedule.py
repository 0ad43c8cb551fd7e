"""The optimiser and its learning rate as a pure function of the step.

Stage 5, WeCLIP section 4.1 and the released code: AdamW, short warm-up, polynomial decay.
"""

from collections.abc import Sequence

import numpy as np
import torch

from weclip.methods.method import ParameterGroup

RATE_FACTOR = "rate_factor"
"""Entry of an optimiser's group: what the learning rate is multiplied by."""


def learning_rate(
    step: int, *, peak: float, steps: int, warmup_steps: int, warmup_ratio: float, power: float
) -> float:
    """Learning rate of a step, counted from 0.

    Args:
        step: Training step.
        peak: Rate that the warm-up leads to.
        steps: Length of the training.
        warmup_steps: Length of the linear warm-up; the decay does not subtract it.
        warmup_ratio: Share of `peak` at step 0.
        power: Exponent of the decay.

    >>> learning_rate(30, peak=1.0, steps=40, warmup_steps=10, warmup_ratio=0.0, power=1.0)
    0.25
    """
    if step < warmup_steps:
        return peak * (1 - (1 - step / warmup_steps) * (1 - warmup_ratio))
    return float(peak * max(0.0, 1 - step / steps) ** power)


def build_optimizer(
    groups: Sequence[ParameterGroup],
    *,
    weight_decay: float,
    betas: tuple[float, float],
    eps: float,
) -> torch.optim.AdamW:
    """AdamW; the loop sets its rates before every step."""
    return torch.optim.AdamW(
        [
            {
                "params": list(group.parameters),
                "weight_decay": weight_decay if group.weight_decay else 0.0,
                RATE_FACTOR: group.rate_factor,
            }
            for group in groups
        ],
        lr=0.0,
        betas=betas,
        eps=eps,
        fused=True,
    )


def step_seed(seed: int, step: int) -> int:
    """Seed of the random numbers of one step, far from that of any other: 64 bits."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0])


def require_own_shapes(optimizer: torch.optim.Optimizer) -> None:
    """ValueError unless the state of each weight, loaded from a file, has that weight's shape."""
    for weight, state in optimizer.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            if state[name].shape != weight.shape:
                raise ValueError(f"{name} has another shape than its weight")
