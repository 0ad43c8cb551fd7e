"""Functions that are replayed: when, checked how, and dropped when."""

from dataclasses import dataclass
from functools import cached_property

import pytest
import torch
from tests.fake_graphs import FailingRecorder, FakeRecorder, StaleRecorder, fake_graphs
from torch import Tensor, nn

from weclip.backbones.graphs import replayed
from weclip.backbones.graphs.replayed import CHECKS, MOST_CHECKS, WARM_UPS
from weclip.backbones.graphs.trees import difference


@dataclass(frozen=True)
class Pair:
    first: Tensor
    second: tuple[Tensor, ...]
    count: int = 1


class Counted(nn.Module):
    """A frozen function that counts its calls."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(3.0), requires_grad=False)
        self.calls = 0

    def forward(self, given, power=1):
        self.calls += 1
        return Pair(given.first * self.weight, (given.second[0] > 0, given.first.sum()), power)


def numbers(seed, size=2):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, size, 3, generator=generator)
    return Pair(first, (second,))


def run(graphs, function, seed, size=2, **named):
    given = numbers(seed, size)
    result = graphs("f", function, given, **named)
    assert difference(result, Counted()(given)) is None
    return result


def test_recorded_checked_and_replayed():
    function = Counted()
    graphs, recorders, warnings = fake_graphs(function)
    run(graphs, function, 0)
    (recorder,) = recorders
    once = 1 + WARM_UPS + 1 + 1  # its own, warm-ups, recorded, replayed
    assert (function.calls, recorder.captures, recorder.replays) == (once, 1, 1)
    for seed in range(1, 1 + CHECKS):
        run(graphs, function, seed)
    assert function.calls == once + 2 * CHECKS  # beside each replay
    first = run(graphs, function, 7)
    assert run(graphs, function, 8).first is first.first  # the graph's own memory, from now on
    assert function.calls == once + 2 * CHECKS + 2
    assert (recorder.captures, graphs.counts(), warnings) == (1, {"f": 1}, [])


def test_the_same_batch_again_is_no_check():
    function = Counted()
    graphs, _, _ = fake_graphs(function)
    for _ in range(5):
        run(graphs, function, 0)
    before = function.calls
    run(graphs, function, 0)
    assert function.calls == before + 2


def test_an_input_that_never_changes_is_waited_for():
    function, fixed = Counted(), numbers(0).second
    graphs, _, _ = fake_graphs(function)
    checked = []
    for seed in range(MOST_CHECKS + 3):
        before = function.calls
        graphs("f", function, Pair(numbers(seed).first, fixed))
        checked.append(function.calls - before > 1)
    assert checked == [True] * (1 + MOST_CHECKS) + [False] * 2


def test_checked_again_every_so_often(monkeypatch):
    monkeypatch.setattr(replayed, "AGAIN", 5)
    function = Counted()
    graphs, _, _ = fake_graphs(function)
    checked = []
    for seed in range(13):
        before = function.calls
        run(graphs, function, seed)
        checked.append(function.calls - before > 1)
    assert [n for n, each in enumerate(checked) if each] == [0, 1, 2, 5, 10]


def test_a_graph_for_each_shape_up_to_a_limit():
    function = Counted()
    graphs, recorders, warnings = fake_graphs(function, most=2)
    for seed in range(6):
        for size in (1, 2, 3):
            run(graphs, function, seed, size)
    assert recorders[0].captures == 2  # the third runs without
    assert warnings == []
    before = function.calls
    run(graphs, function, 9, 3)
    assert function.calls == before + 1


def test_other_types_and_values_are_other_graphs():
    graphs, recorders, _ = fake_graphs(nn.Identity())
    x = torch.randn(2, 3)
    for given in ((x, 1), (x, 2), (x.double(), 1), ((x,), 1)):
        graphs("f", lambda x, n: (x[0] if isinstance(x, tuple) else x) * n, *given)
    assert recorders[0].captures == 3  # the last one is like the first
    with torch.autocast("cpu", torch.bfloat16):
        graphs("f", lambda x, n: x * n, x, 1)
    assert recorders[0].captures == 4


def test_empty_tensors_run_without():
    function = Counted()
    graphs, recorders, _ = fake_graphs(function)
    run(graphs, function, 0, size=0)
    assert (function.calls, recorders) == (1, [])


def test_a_stale_graph_is_dropped():
    function = Counted()
    graphs, _, warnings = fake_graphs(function, StaleRecorder)
    for seed in range(4):
        run(graphs, function, seed)  # right results all the while
    (warning,) = warnings
    assert warning.startswith("no CUDA graph for f, which runs without from here on: a replay diff")
    assert "first: up to" in warning
    before = function.calls
    run(graphs, function, 5)
    assert function.calls == before + 1


def test_one_that_goes_stale_later_is_dropped(monkeypatch):
    monkeypatch.setattr(replayed, "AGAIN", 8)

    class GoesStale(FakeRecorder):
        def capture(self, run):
            output, replay = super().capture(run)
            return output, lambda: self.replays < 5 and replay()

    function = Counted()
    graphs, _, warnings = fake_graphs(function, GoesStale)
    for seed in range(9):
        graphs("f", function, numbers(seed))
        assert bool(warnings) == (seed >= 8)


def test_a_graph_that_cannot_be_recorded_is_dropped():
    function = Counted()
    graphs, recorders, warnings = fake_graphs(function, FailingRecorder)
    for seed in range(3):
        run(graphs, function, seed)
    assert recorders[0].asides == 1
    assert warnings == [
        "no CUDA graph for f, which runs without from here on: it cannot be recorded (operation "
        "not permitted when stream is capturing)"
    ]
    assert list(graphs.dropped) == ["f"]


def test_failures_of_the_function_are_its_own():
    def broken(x):
        raise ValueError("no such class")

    graphs, _, warnings = fake_graphs(nn.Identity())
    with pytest.raises(ValueError, match="no such class"):
        graphs("f", broken, torch.ones(1))
    assert warnings == []


def test_autocast_keeps_no_cast_while_recording():
    kept = []

    def look(x):
        kept.append(torch.is_autocast_cache_enabled())
        return x + 1

    graphs, _, _ = fake_graphs(nn.Identity())
    with torch.autocast("cpu", torch.bfloat16):
        graphs("f", look, torch.ones(1))
        assert torch.is_autocast_cache_enabled()
    assert kept == [True] + [False] * (WARM_UPS + 2)


def test_what_an_object_keeps_is_not_recorded():
    class Kept(Pair):
        @cached_property
        def sum(self):
            return self.first.sum()

    graphs, recorders, warnings = fake_graphs(nn.Identity())
    for seed in range(5):
        given = Kept(numbers(seed).first, numbers(seed).second)
        torch.testing.assert_close(graphs("f", lambda x: x.sum * 2, given), given.sum * 2)
    assert (recorders[0].replays, warnings) == (5, [])


def test_no_gradient_passes():
    graphs, _, _ = fake_graphs(nn.Identity())
    x = torch.ones(2, requires_grad=True)
    assert not graphs("f", lambda x: x * 2, x).requires_grad


@pytest.mark.parametrize(
    ("found", "right", "said"),
    [
        (torch.ones(2000), torch.ones(2000) + 9e-4, None),
        (torch.ones(3), torch.tensor([1, 1, 1.1]), "up to 0.1 apart"),
        (torch.tensor([-torch.inf, torch.nan, 1]), torch.tensor([-torch.inf, torch.nan, 1]), None),
        (torch.tensor([1.0, 1]), torch.tensor([torch.nan, 1]), "up to inf apart"),
        (torch.tensor([1.0, 1]), torch.tensor([-torch.inf, 1]), "up to inf apart"),
        (torch.arange(2000), torch.arange(2000).index_fill(0, torch.tensor([7]), 0), None),
        (torch.arange(100), torch.arange(100).index_fill(0, torch.tensor([7]), 0), "1.0% are not"),
        (torch.ones(2) > 0, torch.ones(2) < 0, "100.0% are not equal"),
        (torch.ones(2), torch.ones(3), "float32 [2] instead of"),
        ((1, None), (2, None), "[0]: 1 instead of 2"),
    ],
)
def test_difference(found, right, said):
    reason = difference(found, right)
    assert reason is None if said is None else said in reason
