"""Foreign text on a terminal and in messages: nothing in it moves a cursor, and all of it is short.

Names of files and classes, cells of tables, headers of models: whatever a user was given by others
may hold control characters, or be endless.
"""

import reprlib
import unicodedata
from collections.abc import Iterable

MOST = 60
"""Characters of a value in a message."""

LONGEST = 300
"""Characters of a text in the header of a model."""

_UNUSABLE = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, bytes that are not UTF-8 (as lone surrogates), and breaks of lines."""


class _Bounded(reprlib.Repr):
    """Python's text of a value, of which only the beginning is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = 80
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 8

    def repr_int(self, x: int, level: int) -> str:
        """A whole number, however many digits it has."""
        return str(x) if x.bit_length() <= 200 else f"a number of {x.bit_length()} bits"

    def repr_bool(self, x: bool, level: int) -> str:
        """As YAML and JSON write it."""
        return "true" if x else "false"

    def repr_NoneType(self, x: None, level: int) -> str:
        """As YAML and JSON write it."""
        return "null"

    def repr_instance(self, x: object, level: int) -> str:
        """What is none of Python's own kinds; a text of it could be anything."""
        known = (int, float, complex, bytes)
        return super().repr_instance(x, level) if isinstance(x, known) else f"a {type(x).__name__}"


_BOUNDED = _Bounded()


def is_usable(name: str) -> bool:
    """Whether a name is UTF-8 without control characters.

    >>> is_usable("é 1.jpg"), is_usable("a\\tb"), is_usable("caf\\udce9")
    (True, False, False)
    """
    return name.isprintable() or not any(unicodedata.category(c) in _UNUSABLE for c in name)


def shown(text: str) -> str:
    """A text for people: what cannot be used in a name is written as in Python.

    >>> shown("a\\tb"), shown("caf\\udce9.jpg")
    ('a\\\\tb', 'caf\\\\xe9.jpg')
    """
    if is_usable(text):
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNUSABLE else c for c in text)


def shown_lines(text: str) -> str:
    """As `shown`, but lines stay lines, and tabs tabs.

    >>> shown_lines("one\\n\\x1b[2Jtwo")
    'one\\n\\\\x1b[2Jtwo'
    """
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" else shown(c) for c in text)


def printable(text: object) -> str:
    """A text of a header that will be shown: not endless, and without control characters.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(text, str) or len(text) > LONGEST or not text.isprintable():
        raise ValueError(f"{short(text, 200)} is no text of up to {LONGEST} printable letters")
    return text


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python keeps it
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()


def short(value: object, most: int = MOST) -> str:
    """A value for a message: in one line, at most `most` characters, null for None.

    What it takes depends on neither the size nor the depth of the value.

    >>> short("a" * 9, 8)
    "'aaaa..."
    >>> short({"a": [1, None]})
    "{'a': [1, null]}"
    """
    start = value[: most + 1] if isinstance(value, str | bytes) else None
    text = shown(_BOUNDED.repr(value)) if start is None else repr(start)
    return text if len(text) <= most else text[: most - 3] + "..."


def one_line(text: object, most: int = 200) -> str:
    """What something says of itself, such as an error of a library: in one line, and not endless.

    >>> one_line(ValueError("line 1:\\n  nothing"))
    'line 1: nothing'
    """
    line = shown(" ".join(str(text).split()))
    return line if len(line) <= most else f"{line[:most]}..."


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names in quotes, the first of many.

    >>> listed(["a", "b"]), listed("abc", 2)
    ("'a', 'b'", "'a', 'b' and 1 more")
    """
    all_names = [*names]
    more = f" and {len(all_names) - most} more" if len(all_names) > most else ""
    return ", ".join(short(name) for name in all_names[:most]) + more
