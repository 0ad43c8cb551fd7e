"""A split by a ratio: the same every time, of the right size, and hardly moved by new images."""

import pytest

from weclip.data.layouts.split_ratio import SplitRatio

NAMES = [f"beach/{i}" for i in range(101)]


@pytest.mark.parametrize("val", [0.01, 0.1, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_exact_to_rounding_and_never_empty(val: float, count: int) -> None:
    chosen = SplitRatio(val).val_names(NAMES[:count])
    assert chosen < set(NAMES[:count])
    assert len(chosen) == min(max(round(val * count), 1), count - 1)


def test_one_image_cannot_be_split() -> None:
    assert SplitRatio(0.5).val_names(NAMES[:1]) == set()
    assert SplitRatio(0.5).val_names([]) == set()


def test_names_and_seed_decide_and_not_the_order() -> None:
    chosen = SplitRatio(0.2).val_names(NAMES)
    assert SplitRatio(0.2, seed=0).val_names(NAMES[::-1]) == chosen
    assert SplitRatio(0.2, seed=1).val_names(NAMES) != chosen
    assert SplitRatio(0.3).val_names(NAMES) > chosen


def test_stays_what_it_was_in_earlier_versions() -> None:
    """Written down once: a change would silently mix training and held-out images."""
    assert SplitRatio(0.25, seed=7).val_names([*"abcdefgh"]) == {"c", "e"}


def test_a_new_image_moves_at_most_one_other() -> None:
    ratio, before = SplitRatio(0.2), None
    moved = []
    for count in range(2, len(NAMES)):
        now = ratio.val_names(NAMES[:count])
        if before is not None:
            moved.append(len((now ^ before) - {NAMES[count - 1]}))
        before = now
    assert max(moved) == 1
    assert 0 in moved


def test_accents_count_the_same_however_they_are_stored() -> None:
    composed, decomposed = ["caf\u00e9", "b", "c", "d"], ["cafe\u0301", "b", "c", "d"]
    for seed in range(8):
        ratio = SplitRatio(0.5, seed)
        index = {composed.index(name) for name in ratio.val_names(composed)}
        assert {decomposed.index(name) for name in ratio.val_names(decomposed)} == index


def test_names_that_are_no_text() -> None:
    assert len(SplitRatio(0.5).val_names(["\udcff", "a"])) == 1
