"""Pure functions of tensors whose work is recorded once for each shape, checked, and replayed.

Stage 2. A GPU that replays does not wait for Python to launch hundreds of small kernels. A graph
repeats what was recorded, on the same memory, and knows nothing of what has changed since. So none
is believed: its results are compared with the function's own, on the batch that it was recorded on
and on others, and again every so often. One that differs is dropped with a warning.
"""

from collections.abc import Callable, Hashable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from weclip.backbones.graphs.trees import difference, leaves, tensors_of, with_tensors
from weclip.system.untrusted.text import one_line

WARM_UPS = 3
"""How often a function runs on the side stream before it is recorded; PyTorch's documentation."""

CHECKS = 2
"""Replays on other batches that have to agree, at the least."""

MOST_CHECKS = 10
"""The same where an input has not changed so long, such as tags of a batch of one tag each."""

AGAIN = 1000
"""Replays from one check to the next later on."""

MOST_GRAPHS = 8
"""Of a function; other shapes run without, for each graph keeps memory."""

Result = TypeVar("Result")


class Recorder(Protocol):
    """Records the work of one function."""

    def aside(self) -> AbstractContextManager[None]:
        """Where the work is done before it is recorded."""

    def capture(self, run: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """What `run` returned, whose tensors `replay` fills; and `replay`."""


class Graphs:
    """Functions that are replayed; each is called once in a training step.

    What a call returns is memory of the graph: it is valid until the next call of the same
    function, one step later. A training step uses it up, backward pass and picture included;
    whatever outlives the step has to be cloned.

    Args:
        reads: Module whose frozen tensors the functions read beside what they are given.
        recorder: Makes a `Recorder` for a function.
        warn: Is told in one line what was dropped, and why.
        most: Graphs of a function.
    """

    def __init__(
        self,
        reads: nn.Module,
        *,
        recorder: Callable[[], Recorder],
        warn: Callable[[str], None],
        most: int = MOST_GRAPHS,
    ) -> None:
        self._reads, self._recorder, self._warn, self._most = reads, recorder, warn, most
        self._functions: dict[str, _Replayed] = {}
        self.dropped: dict[str, str] = {}  # function -> what was wrong

    @torch.no_grad()
    def __call__(self, name: str, function: Callable[..., Result], *given: Any) -> Result:
        """`function(*given)`, without gradients.

        Args:
            name: Of the function, for messages; functions of one name are the same.
            function: Computes from tensors of `given` and frozen ones alone.
            given: Tensors, in tuples and dataclasses too; all else in them can be hashed.
        """
        tensors = [tensor.detach() for tensor in tensors_of(given)]
        given = with_tensors(given, iter(tensors))
        if name in self.dropped or not all(tensor.numel() for tensor in tensors):
            return function(*given)
        if name not in self._functions:
            self._functions[name] = _Replayed(self._recorder(), self._most)
        replayed, key = self._functions[name], _key(given)
        if not replayed.takes(key):
            return function(*given)
        recording = replayed.recordings.get(key)
        if recording is not None and recording.is_trusted():
            result: Result = recording(tensors)
            return result
        right = function(*given)  # first: what fails here is the function's own failure
        reason = replayed.checked(key, function, given, right, kept=self._frozen())
        if reason is not None:
            del self._functions[name]
            self.dropped[name] = reason
            self._warn(f"no CUDA graph for {name}, which runs without from here on: {reason}")
        return right

    def _frozen(self) -> list[Tensor]:
        """The memory that the functions read; kept, a graph stays right if weights are moved."""
        return [each.detach() for each in (*self._reads.parameters(), *self._reads.buffers())]

    def counts(self) -> dict[str, int]:
        """Number of graphs by function."""
        return {name: len(each.recordings) for name, each in self._functions.items()}


class _Recording:
    """One graph.

    Args:
        inputs: Its own memory for what is given.
        output: What it fills.
        replay: Does the work again.
        kept: Tensors that it reads beside.
    """

    def __init__(
        self, inputs: list[Tensor], output: Any, replay: Callable[[], None], kept: list[Tensor]
    ) -> None:
        self._inputs, self._output, self._replay, self._kept = inputs, output, replay, kept
        self._same = set(range(len(inputs)))  # inputs that no check has seen changed
        self._checks = self._replays = 0

    def __call__(self, tensors: Iterable[Tensor]) -> Any:
        """Its result, valid until the next replay."""
        for own, given in zip(self._inputs, tensors, strict=True):
            own.copy_(given)
        self._replay()
        self._replays += 1
        return self._output

    def is_trusted(self) -> bool:
        """Whether the next replay need not be checked."""
        checked = self._checks >= (MOST_CHECKS if self._same else CHECKS)
        return checked and self._replays % AGAIN != 0

    def compared(self, tensors: list[Tensor], right: Any) -> str | None:
        """How its result differs from the right one; only other inputs count as a check."""
        pairs = zip(self._inputs, tensors, strict=True)
        new = {index for index, (own, given) in enumerate(pairs) if not torch.equal(own, given)}
        self._same -= new
        self._checks += bool(new)
        return difference(self(tensors), right)


class _Replayed:
    """A function, and its graphs by shape."""

    def __init__(self, recorder: Recorder, most: int) -> None:
        self._recorder, self._most = recorder, most
        self.recordings: dict[Hashable, _Recording] = {}

    def takes(self, key: Hashable) -> bool:
        """Whether there is a graph of this shape, or room for one."""
        return key in self.recordings or len(self.recordings) < self._most

    def checked(
        self,
        key: Hashable,
        function: Callable[..., Any],
        given: tuple[Any, ...],
        right: Any,
        *,
        kept: list[Tensor],
    ) -> str | None:
        """Record the function, if that was not done, and compare; what is wrong, or None."""
        if key not in self.recordings:
            try:
                self.recordings[key] = self._record(function, given, kept)
            except Exception as error:  # the driver's, Triton's, a part's that asks for a number
                return f"it cannot be recorded ({one_line(error, 150)})"
        reason = self.recordings[key].compared(tensors_of(given), right)
        return None if reason is None else f"a replay differs ({reason})"

    def _record(
        self, function: Callable[..., Any], given: tuple[Any, ...], kept: list[Tensor]
    ) -> _Recording:
        inputs = [tensor.clone() for tensor in tensors_of(given)]
        kind = inputs[0].device.type

        def run() -> Any:
            enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
            # A cast that autocast keeps would be recorded by one graph and missing in another.
            with torch.autocast(kind, dtype=dtype, enabled=enabled, cache_enabled=False):
                return function(*with_tensors(given, iter(inputs)))  # anew: objects keep results

        with self._recorder.aside():
            for _ in range(WARM_UPS):
                run()
        output, replay = self._recorder.capture(run)
        return _Recording(inputs, output, replay, kept)


def _key(given: tuple[Any, ...]) -> Hashable:
    """What a graph is fixed to: shapes and types of tensors, all other values, the precision."""
    parts = [
        (leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf
        for _, leaf in leaves(given)
    ]
    kinds = {tensor.device.type for tensor in tensors_of(given)}
    precision = [
        (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in sorted(kinds)
    ]
    return (*parts, *precision)
