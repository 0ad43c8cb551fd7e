"""Finds what makes a host wait for its device, on machines without one.

A GPU works through a queue. A host that asks for a value waits until the queue is empty, and then
the GPU waits for the host. So does a copy from memory that is not pinned. `Watch` stops at each of
them. Tensors of the CPU stand for the device's and have values, so everything is computed; or the
device `meta` stands for it: then tensors of the CPU are the host's, and every copy between the two
is seen.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from weclip.data.batch import Batch
from weclip.labels import pseudo_label, tag_slots
from weclip.labels.pixel_refine import par, portable
from weclip.methods import afa, weclip, weclip_plus

ASKED = {
    *("item", "tolist", "cpu", "numpy", "__array__", "__bool__", "__int__", "__float__"),
    *("__index__", "__contains__", "__format__", "__repr__", "is_nonzero", "allclose", "unique"),
}
"""Questions to a tensor whose answer a host waits for."""

MADE_ON_THE_HOST = {"tensor", "as_tensor", "asarray", "from_numpy"}

aten = torch.ops.aten
WAITED_FOR = {
    *(aten.equal, aten.allclose, aten.is_nonzero, aten._local_scalar_dense, aten.nonzero),
    *(aten.masked_select, aten.repeat_interleave, aten.bincount, aten._unique2, aten.unique_dim),
    aten.unique_consecutive,
}
"""Operations of which a host waits for the answer, or for its shape."""

INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
COPIES = {aten._to_copy}
MASKS = (torch.bool, torch.uint8)


class WaitError(AssertionError):
    """A host would wait for its device."""


class Watch:
    """Stops at every wait while `looking`.

    Args:
        device: What stands for the device.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._on = False

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Watch what is done in this context."""
        with _Functions(self), _Operations(self), self._turned(True):
            yield

    def unseen(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that may do what it likes: it works on the host, or copies rightly."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._turned(False):
                return function(*args, **kwargs)

        return wrapped

    @contextmanager
    def _turned(self, on: bool) -> Iterator[None]:
        before, self._on = self._on, on
        try:
            yield
        finally:
            self._on = before

    def called(self, name: str, args: Any, kwargs: Any) -> None:
        """A function of PyTorch is called."""
        if not self._on:
            return
        if name in ASKED and self._there(args):
            raise WaitError(f"Tensor.{name}")
        if name in MADE_ON_THE_HOST and (self.device == "cpu" or "device" in kwargs):
            raise WaitError(f"torch.{name}")

    def computed(self, function: Any, args: Any, kwargs: Any) -> None:
        """An operation is carried out."""
        if not self._on:
            return
        packet = function.overloadpacket
        if packet in WAITED_FOR and self._there(args):
            raise WaitError(str(function))
        if packet in INDEXING and any(x is not None and x.dtype in MASKS for x in args[1]):
            raise WaitError(f"{function} by a mask")
        if self.device != "cpu":
            places = {x.device.type for x in tensors(args)}
            if "device" in kwargs and packet in COPIES:
                places.add(torch.device(kwargs["device"]).type)
            if len(places) > 1:
                raise WaitError(f"{function} copies between host and device")

    def _there(self, args: Any) -> bool:
        return any(each.device.type == self.device for each in tensors(args))


class _Functions(TorchFunctionMode):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.watch.called(getattr(func, "__name__", ""), args, kwargs or {})
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """Backward passes and optimisers are seen here alone."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.watch.computed(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def tensors(tree: Any) -> list[Tensor]:
    """All tensors in arguments."""
    return [each for each in tree_leaves(tree) if isinstance(each, Tensor)]


def watch_training(device: str, patch: pytest.MonkeyPatch) -> Watch:
    """A watch over training steps: tags and boxes lie on the host and are sent by one door."""
    watch = Watch(device)
    for module in (weclip, weclip_plus, afa):
        patch.setattr(module, "pack_tags", watch.unseen(tag_slots.pack_tags))
    for module in (tag_slots, pseudo_label):
        patch.setattr(module, "send", watch.unseen(tag_slots.send))
    patch.setattr(Batch, "boxes", property(watch.unseen(Batch.boxes.fget)))
    patch.setattr(par, "_implementation", lambda place: portable.spread)  # as on any device
    if device == "meta":  # which autocast does not know
        cast, enabled = torch.autocast, torch.is_autocast_enabled
        patch.setattr(
            torch, "is_autocast_enabled", lambda place: place != device and enabled(place)
        )
        patch.setattr(
            torch,
            "autocast",
            lambda place, *args, **named: (
                nullcontext() if place == device else cast(place, *args, **named)
            ),
        )
    return watch
