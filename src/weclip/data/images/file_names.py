"""Names of files: which can be used, and how they are compared.

Stage 1. Names are compared in Unicode's form NFC, since macOS and some archives write accents as
characters of their own (NFD). A name that is not UTF-8, or holds control characters, could be
neither written to a table nor shown: it is left out where folders are listed, and refused where it
is given by name.
"""

import re
import unicodedata
from os import PathLike, fspath

from weclip.system.errors import InputError
from weclip.system.untrusted.text import is_usable, shown


def nfc(name: str) -> str:
    """A name in Unicode's composed form."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def bare_name(name: str) -> str:
    """A name of COCO without the prefix that published masks lack; others are left as they are.

    >>> bare_name("COCO_val2014_000000000042"), bare_name("1")
    ('000000000042', '1')
    """
    return re.sub(r"^COCO_[a-z]+\d{4}_", "", name)


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
