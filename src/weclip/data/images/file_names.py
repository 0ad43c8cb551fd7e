"""Names of files: which can be used, how they are compared, and how they are shown.

Stage 1. Names are compared in Unicode's form NFC, since macOS and some archives write accents as
characters of their own (NFD). A name that is not UTF-8, or holds control characters, could be
neither written to a table nor shown: it is left out where folders are listed, and refused where it
is given by name.
"""

import re
import unicodedata
from os import PathLike, fspath

from weclip.system.errors import InputError

_UNUSABLE = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, bytes that are not UTF-8 (as lone surrogates), and breaks of lines."""


def nfc(name: str) -> str:
    """A name in Unicode's composed form."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def bare_name(name: str) -> str:
    """A name of COCO without the prefix that published masks lack; others are left as they are.

    >>> bare_name("COCO_val2014_000000000042"), bare_name("1")
    ('000000000042', '1')
    """
    return re.sub(r"^COCO_[a-z]+\d{4}_", "", name)


def is_usable(name: str) -> bool:
    """Whether a name is UTF-8 without control characters.

    >>> is_usable("é 1.jpg"), is_usable("a\\tb"), is_usable("caf\\udce9")
    (True, False, False)
    """
    return name.isprintable() or not any(unicodedata.category(c) in _UNUSABLE for c in name)


def shown(name: str) -> str:
    """A name for people: what cannot be used in it is written as in Python.

    >>> shown("a\\tb"), shown("caf\\udce9.jpg")
    ('a\\\\tb', 'caf\\\\xe9.jpg')
    """
    if is_usable(name):
        return name
    return "".join(_escaped(c) if unicodedata.category(c) in _UNUSABLE else c for c in name)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python keeps it
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()


def require_usable(path: str | PathLike[str], where: str = "") -> None:
    """Raise InputError if a path that was given by name cannot be used.

    Args:
        path: As it was given.
        where: The file that names it, and the place in it.
    """
    if not is_usable(fspath(path)):
        start = f"{where}: " if where else ""
        raise InputError(
            f"{start}the name '{shown(fspath(path))}' is not UTF-8 or holds control characters; "
            "rename it"
        )
