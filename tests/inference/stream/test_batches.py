"""Items of one size are computed together, at most so many; results keep their order."""

import numpy as np
import pytest

from weclip.inference.stream import batches
from weclip.inference.stream.batches import in_batches
from weclip.system.errors import InputError


def batched(items, *, most=3, pixels=1000):
    """Results, and the batches that were computed; an item is a letter for each unit of size."""
    seen = []

    def compute(batch):
        seen.append("".join(batch))
        return [item.upper() for item in batch]

    def size_of(item):
        return None if item == "x" else (len(item), 10)

    found = in_batches(items, compute, size_of=size_of, pixels=pixels, most=most)
    return found, seen


@pytest.mark.parametrize("most", [1, 2, 3, 8])
@pytest.mark.parametrize("text", ["", "a", "a bb c d ee x f gg hh x", "a b c d e f g", "x x"])
def test_results_are_all_there_in_order(text, most):
    items = text.split()
    found, seen = batched(items, most=most)
    assert list(found) == [(item, item.upper()) for item in items]
    assert sorted("".join(seen)) == sorted("".join(items))


def test_those_of_one_size_go_together_whatever_lies_between():
    found, seen = batched("a bb c dd e f gg".split())
    list(found)
    assert seen == ["ace", "bbddgg", "f"]


def test_what_has_no_size_goes_alone():
    found, seen = batched("a x b x".split())
    list(found)
    assert seen == ["ab", "x", "x"]


def test_a_batch_has_only_so_many_pixels():
    found, seen = batched("a b c dd ee".split(), pixels=20)
    list(found)
    assert seen == ["ab", "c", "dd", "ee"]


def test_a_lonely_size_does_not_wait_for_ever():
    taken = []
    items = (taken.append(i) or ("a" if i == 0 else "bb") for i in range(1000))
    found, _ = batched(items)
    assert next(found) == ("a", "A")
    assert len(taken) == batches.AHEAD * 3


def test_large_items_do_not_wait(monkeypatch):
    monkeypatch.setattr(batches, "HELD", 1_500_000)
    taken = []
    items = (taken.append(i) or np.zeros((i + 1, 1_000_000), np.uint8) for i in range(9))
    found = in_batches(items, list, size_of=lambda item: item.shape, pixels=10**9)
    next(found)
    assert taken == [0, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_what_comes_before_an_error_is_given(count):
    def items():
        yield from "abcd"[:count]
        raise InputError("broken")

    found, _ = batched(items())
    assert [next(found)[0] for _ in range(count)] == list("abcd"[:count])
    with pytest.raises(InputError, match="broken"):
        next(found)


def test_an_error_of_the_computation_arrives():
    def fail(batch):
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        list(in_batches("ab", fail, size_of=lambda item: (1, 1), pixels=1))
