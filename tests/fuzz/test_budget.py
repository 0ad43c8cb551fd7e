"""The fuzzing itself: it reports what it is there to find."""

import re
from itertools import chain, repeat
from time import sleep

import pytest
from hypothesis import strategies as st
from tests.fuzz import budget
from tests.fuzz.budget import damaged, fuzz

from weclip.system.errors import InputError


def fail_if_odd(number):
    if number % 2:
        raise InputError("odd")


def test_it_counts_what_is_read_and_refused(capsys):
    results = fuzz(lambda rng: rng.randrange(100), fail_if_odd, seconds=0.05)
    assert results["read"] > 10
    assert results["refused"] > 10
    assert re.search(rf"{results.total()} inputs in \d+ s", capsys.readouterr().out)


def test_another_exception_comes_with_its_input():
    with pytest.raises(ZeroDivisionError) as caught:
        fuzz(st.integers(), lambda number: 1 / (number // 1000), seconds=1)
    assert any("given=0" in note for note in caught.value.__notes__)


def test_a_hang_is_found_though_every_exception_is_caught(monkeypatch):
    def hang(_):
        try:
            sleep(60)
        except Exception:
            raise InputError("damaged") from None

    monkeypatch.setattr(budget, "SLOWEST", 0.1)
    with pytest.raises(budget.HangError):
        fuzz(lambda rng: 0, hang, seconds=1)


def test_much_memory_is_found(monkeypatch):
    monkeypatch.setattr(budget, "most_memory", chain([0, 2**20], repeat(2**30)).__next__)
    with pytest.raises(AssertionError, match="memory"):
        fuzz(st.integers(), lambda _: None, seconds=1)


@pytest.mark.parametrize("message", ["two\nlines", "x" * 2000])
def test_messages_are_one_short_line(message):
    def refuse(_):
        raise UnicodeError(message)

    with pytest.raises(AssertionError, match=r"not one line|a long message"):
        fuzz(lambda rng: 0, refuse, seconds=1, refusals=(UnicodeError,))


def test_damages_differ_and_repeat():
    content = bytes(range(100))
    found = [damaged(budget.Random(number), content, (b"piece",)) for number in range(200)]
    assert len(set(found)) > 190
    assert found[7] == damaged(budget.Random(7), content, (b"piece",))
