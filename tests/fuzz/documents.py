"""Documents of lists, mappings, texts and numbers in which something is another value."""

from copy import deepcopy
from random import Random
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 255, 256, 2**31, 2**32, 2**63, -(2**63), 10**30, 10**400),
    *(0.5, -1.5, 1e8, -1e8, 1e300, float("nan"), float("inf"), -float("inf")),
    *("", " ", "a", "background", "\x1b[2J", "\0", "\n", "é", "\ud800", "x" * 5000, "1", "nan"),
    *([], {}, [[]], [{}], {"a": 1}, [None], [0, 0], ["a", "a"], [0] * 3000, [[0, 0]] * 50),
)
"""What stands where something else is expected."""


def changed(rng: Random, document: Any, values: tuple[Any, ...] = VALUES) -> Any:
    """A copy with one to three changes: a value replaced, left out, or there twice."""
    copy = {"root": deepcopy(document)}
    for _ in range(rng.randint(1, 3)):
        holder, key = rng.choice(places(copy))
        match rng.randrange(5):
            case 0 if holder is not copy:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, deepcopy(holder[key]))
            case 2:
                other_holder, other = rng.choice(places(copy))
                holder[key] = deepcopy(other_holder[other])
            case _:
                holder[key] = deepcopy(rng.choice(values))
    return copy["root"]


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every list or mapping of a document with every key of it; of long lists the first ones."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(min(len(holder), 20)))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found
