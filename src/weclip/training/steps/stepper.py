"""One optimiser step, which a loss that is not finite switches off on the device itself.

Stage 5.
"""

from collections.abc import Callable

import torch
from accelerate import Accelerator
from torch import Tensor

from weclip.data.batch import Batch
from weclip.methods.method import Method, StepOutput
from weclip.system.distributed import total
from weclip.training.schedule import RATE_FACTOR, step_seed
from weclip.training.steps.launched import Launched, Sent, Wishes


class Stepper:
    """Launches training steps.

    From the first loss on that is not finite, no step changes a weight: whoever reads the losses
    later finds the weights as they were before the step that broke.

    Args:
        method: The method, as `accelerator` prepared it.
        optimizer: Optimiser over what it trains, likewise; a fused one.
        accelerator: Device, precision and processes.
        learning_rate: Rate of a step.
        seed: Decides, with the step, what dropout draws.
    """

    def __init__(
        self,
        method: Method,
        optimizer: torch.optim.Optimizer,
        *,
        accelerator: Accelerator,
        learning_rate: Callable[[int], float],
        seed: int,
    ) -> None:
        self.method = method
        self.optimizer = optimizer
        self.accelerator = accelerator
        self.learning_rate = learning_rate
        self.seed = seed
        self._broken = torch.zeros((), device=accelerator.device)  # 1 from then on

    def __call__(
        self, batch: Batch, step: int, wishes: Callable[[], Wishes]
    ) -> tuple[StepOutput, Launched]:
        """Launch a step.

        Args:
            batch: Its images, on the device.
            step: Its number, counted from 0.
            wishes: What this process wants after it; asked as late as can be.

        Returns:
            What the method computed, and what comes of it in all processes.
        """
        rate = self.learning_rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group[RATE_FACTOR]
        torch.manual_seed(step_seed(self.seed, step))
        with self.accelerator.autocast():
            output = self.method.training_step(batch, step, total)
        device = output.loss.device
        numbers = total(torch.stack([*output.terms.values(), *wishes().on(device)]))
        self._watch(numbers[: len(output.terms)])
        loss = output.loss * self.accelerator.num_processes  # gradients are averaged
        self._update(loss)
        return output, Launched(step, batch.names, tuple(output.terms), Sent(numbers))

    def _watch(self, losses: Tensor) -> None:
        """Note whether all of (n,) losses are finite."""
        broken = losses.isfinite().all().logical_not().to(self._broken.dtype)
        self._broken = self._broken.maximum(broken)

    def _update(self, loss: Tensor) -> None:
        """Change the weights, unless a loss was not finite."""
        if self.accelerator.scaler is None:
            self.optimizer.optimizer.found_inf = self._broken  # type: ignore[attr-defined]
        else:  # fp16's scaling looks at the gradients, and skips the step by these
            loss = loss * torch.ones_like(loss).masked_fill(self._broken > 0, torch.nan)
        self.accelerator.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad()
