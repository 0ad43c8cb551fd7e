"""A step that the device was told to do, and the numbers that it will give.

Stage 5. A host that asks a GPU for a number waits until all work before it is done, and then the
GPU waits for new work. So numbers are sent, and read when the next step has been launched.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor


class Sent:
    """Numbers on their way from a device to the host.

    Args:
        numbers: (n,) on the device.
    """

    def __init__(self, numbers: Tensor) -> None:
        on_gpu = numbers.device.type == "cuda"
        self._host = numbers.to("cpu", non_blocking=on_gpu)  # which then is pinned memory
        self._arrived = torch.Event(numbers.device) if on_gpu else None
        if self._arrived is not None:
            self._arrived.record()

    def read(self) -> list[float]:
        """The numbers, as soon as they are here."""
        if self._arrived is not None:
            self._arrived.synchronize()
        values: list[float] = self._host.tolist()
        return values


@dataclass(frozen=True)
class Wishes:
    """What processes want after a step; all do it after the same one.

    Attributes:
        stop: Whether to save and end.
        look: Whether to show something.
    """

    stop: bool = False
    look: bool = False

    def on(self, device: torch.device) -> list[Tensor]:
        """Two numbers on a device, without a copy."""
        return [torch.full((), float(wish), device=device) for wish in (self.stop, self.look)]


@dataclass(frozen=True)
class Launched:
    """A step under way.

    Attributes:
        step: Its number, counted from 0.
        names: Images of its batch.
        terms: Names of its losses.
        sent: Losses and wishes of all processes.
    """

    step: int
    names: tuple[str, ...]
    terms: Sequence[str]
    sent: Sent

    def read(self) -> tuple[dict[str, float], Wishes]:
        """Its losses by name, and what any process wants."""
        *losses, stop, look = self.sent.read()
        return dict(zip(self.terms, losses, strict=True)), Wishes(stop > 0, look > 0)


class Underway:
    """Steps that were launched and not yet read.

    Args:
        late: How many steps after its own a step is read, where nothing needs it sooner.

    Attributes:
        losses: Of the last step that was read.
        stop_after: Number of steps after which all processes save and end. However early one of
            them reads the wish, all do it after the same step.
        look_after: The same of what is shown.
    """

    def __init__(self, late: int) -> None:
        self.late = late
        self.losses: dict[str, float] = {}
        self.stop_after = self.look_after = inf
        self._steps: deque[Launched] = deque()

    def add(self, launched: Launched) -> None:
        """A step was launched."""
        self._steps.append(launched)

    def read(self, *, but: int = 0) -> Iterator[Launched]:
        """Read the steps so far, but the last few, one after the other."""
        while len(self._steps) > but:
            launched = self._steps.popleft()
            self.losses, wishes = launched.read()
            at = launched.step + 1 + self.late
            self.stop_after = min(self.stop_after, at) if wishes.stop else self.stop_after
            self.look_after = at if wishes.look else self.look_after
            yield launched
