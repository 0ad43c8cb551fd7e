"""Inputs that are nearly right: documents and texts with a few changes."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

CONTROLS = ["\x00", "\x1b[2J", "\r", "\x7f", "\x9b", "\u2028", "\ud800", "\ufeff", "\t", "\n"]
NUMBERS = [0, -1, 255, 256, 2**31, 2**63, 2**64, 10**30, 1e999, -1e999, float("nan"), 0.5, 1e-320]
TEXTS = ["", " ", ".", "..", "/", "../x", "a/b", "1", "nan", "null", "background", "x" * 5000, ";"]

odd_text = st.one_of(
    st.sampled_from([*CONTROLS, *TEXTS]),
    st.text(st.characters(), max_size=8),
    st.text(st.sampled_from("ab ;,|[]{}'\"\\#:&*!%-~"), max_size=12),
)
odd_leaf = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), odd_text)
odd_value: SearchStrategy[Any] = st.recursive(
    odd_leaf,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_text, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def changed_document(draw: DrawFn, seeds: Sequence[Any]) -> Any:
    """One of the documents with one to three changes anywhere in it."""
    document = {"": copy.deepcopy(draw(st.sampled_from(seeds)))}
    for _ in range(draw(st.integers(1, 3))):
        place: Any = document
        key: Any = ""
        while isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 4)):
            place = place[key]
            key = draw(
                st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
            )
        match draw(st.integers(0, 3)):
            case 0 if place is not document:
                del place[key]
                if not place:
                    continue
            case 1 if isinstance(place, list):
                place.append(copy.deepcopy(place[key]))
            case 2 if isinstance(place, dict) and place is not document:
                place[draw(odd_text)] = place.pop(key)
            case _:
                place[key] = draw(odd_value)
    return document.get("")


@st.composite
def changed_text(draw: DrawFn, seeds: Sequence[str], words: Sequence[str] = ()) -> str:
    """One of the texts with one to five changes: pieces left out, repeated, or put in."""
    text = draw(st.sampled_from(seeds))
    word = st.one_of(st.sampled_from([*words, *CONTROLS]), odd_text)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 1, 2, 5, 30]))
        piece = draw(word | st.just(text[at : at + length] * draw(st.sampled_from([1, 2, 300]))))
        text = text[:at] + piece + text[at + length :]
    return text


def as_bytes(text: str) -> bytes:
    """A text as a file has it; halves of characters stay what they are."""
    return text.encode("utf-8", "surrogatepass")


def as_json(value: Any) -> str:
    """JSON, with numbers that only Python writes."""
    return json.dumps(value)
