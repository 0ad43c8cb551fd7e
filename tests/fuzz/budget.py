"""Fuzzing with Hypothesis for a bounded time, and what came of it.

    WECLIP_FUZZ_SECONDS=600 pytest -m long -s tests/fuzz/test_documents.py

Hypothesis shrinks an input that fails and prints it.
"""

import os
import resource
import signal
from collections import Counter
from collections.abc import Callable
from random import Random
from time import monotonic
from types import FrameType
from typing import Any, NoReturn

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from weclip.system.errors import InputError

Make = Callable[[Random], Any]

SLOWEST = 10.0
"""Seconds that one input may take; this machine may be busy."""

MOST_MEMORY = 2**29
"""Bytes by which inputs may raise the most memory that the process has ever had."""

ROUND = 200
"""Inputs between two looks at the clock."""


class HangError(BaseException):
    """An input took too long; readers that catch every `Exception` do not catch this one."""


def fuzz(
    inputs: SearchStrategy[Any] | Make,
    target: Callable[[Any], object],
    *,
    seconds: float | None = None,
    refusals: tuple[type[Exception], ...] = (InputError,),
) -> Counter[str]:
    """Give `target` one input after the other until the time is over.

    Args:
        inputs: A strategy, or what makes an input from a source of random numbers.
        target: Reads it.
        seconds: How long; None: WECLIP_FUZZ_SECONDS, or else 20.
        refusals: What `target` may raise.

    Returns:
        How many inputs were `read` and `refused`; also printed.

    Raises:
        Exception: An input ended in another exception, took too long or too much memory, or a
            message was long or of several lines.
    """
    if seconds is None:
        seconds = float(os.environ.get("WECLIP_FUZZ_SECONDS", "20"))
    first = int(os.environ.get("WECLIP_FUZZ_FIRST", "0"))
    strategy = inputs if isinstance(inputs, SearchStrategy) else from_random(inputs)
    start, memory, results = monotonic(), most_memory(), Counter[str](read=0, refused=0)

    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one_round(given: Any) -> None:
        results[attempt(given, target, refusals)] += 1
        assert most_memory() - memory < MOST_MEMORY, "took too much memory"

    number = first
    while monotonic() - start < seconds:
        seed(number)(one_round)()
        number += 1
    name = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("/")[2].partition(" ")[0]
    took = monotonic() - start
    print(f"\n{name}: {results.total()} inputs in {took:.0f} s: {dict(results)}")
    return results


def from_random(make: Make) -> SearchStrategy[Any]:
    """Inputs that a source of random numbers makes; that of a failure is printed as its number."""
    return st.integers(0, 2**64 - 1).map(lambda number: make(Random(number)))


def attempt(
    given: Any, target: Callable[[Any], object], refusals: tuple[type[Exception], ...]
) -> str:
    """Read one input; `read` or `refused`."""
    before = signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, SLOWEST)
    try:
        target(given)
    except refusals as error:
        text = str(error)
        assert len(text.splitlines()) == 1, f"not one line: {text!r:.300}"
        assert len(text) < 1600, f"a long message: {text!r:.300}"
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return "read"


def most_memory() -> int:
    """Bytes that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _hang(_: int, __: FrameType | None) -> NoReturn:
    raise HangError(f"took over {SLOWEST} s")


def damaged(rng: Random, content: bytes, pieces: tuple[bytes, ...] = ()) -> bytes:
    """Content with one to four damages: bytes flipped, cut, repeated, moved, or pieces put in.

    Args:
        rng: Source of random numbers.
        content: What is damaged.
        pieces: Words of the format, which are put in at random places.
    """
    result = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(result))
        length = rng.choice((1, 1, 2, 4, 8, rng.randint(0, 64)))
        match rng.randrange(6):
            case 0:
                result[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del result[at : at + length]
            case 2:
                result[at:at] = result[at : at + length] * rng.choice((1, 2, 50))
            case 3:
                other = rng.randint(0, len(result))
                result[other:other] = result[at : at + length]
            case 4:
                result[at : at + length] = rng.choice(ENDS) * (length if length <= 8 else 1)
            case _:
                piece = rng.choice(pieces) if pieces else rng.randbytes(length)
                result[at : at + rng.choice((0, len(piece)))] = piece
    return bytes(result)


ENDS = (b"\x00", b"\xff", b"\x7f", b"\x80", b"0", b"9", b"-", b"\n")
"""Bytes that often lie at a border of what is allowed."""
