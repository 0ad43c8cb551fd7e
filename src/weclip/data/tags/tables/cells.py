"""Tags inside one cell or text: what separates them.

Stage 1. `;`, `|` and `,` separate, unless a class name contains them. Blanks separate only where
nothing else does in the whole column and the class list knows the words: without a list, cells such
as `dog` and `dog cat` could be three names or two, and are refused.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from weclip.system.errors import InputError
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.text import listed, short

SEPARATORS = ";|,"
_ITEM = r"""\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*"""
_LIST = re.compile(rf"\[(?:{_ITEM}(?:,{_ITEM})*,?)?\s*\]")


def splitter(
    cells: Iterable[str], names: Sequence[str] | None, where: str
) -> Callable[[str], list[str]]:
    """Find what separates the tags of a column.

    Args:
        cells: All cells of the column.
        names: Class names; None if there is no list.
        where: What messages start with.

    Returns:
        A function from a cell to its tags.

    Raises:
        InputError: Blanks may separate tags or belong to their names.
    """
    known = frozenset(names or ())
    signs = [sign for sign in SEPARATORS if not any(sign in name for name in known)]
    separator = re.compile("|".join(map(re.escape, signs)) if signs else r"(?!)")
    texts = {cell.strip() for cell in cells}
    texts = {text for text in texts if text and not _is_list(text)}
    by_blanks = names is not None and not any(separator.search(text) for text in texts)
    if names is None and not any(separator.search(text) for text in texts):
        _refuse_doubtful_blanks(texts, where)

    def split(cell: str) -> list[str]:
        text = cell.strip()
        if _is_list(text):
            return _parsed_list(text, where)
        if by_blanks and text not in known and (words := text.split()) and known.issuperset(words):
            return words
        return [tag.strip() for tag in separator.split(text) if tag.strip()]

    return split


def _is_list(text: str) -> bool:
    """Whether a cell is a list as Python or JSON writes it: pandas saves lists so."""
    return text.startswith("[") and text.endswith("]")


def _parsed_list(text: str, where: str) -> list[str]:
    if _LIST.fullmatch(text):
        return [(one or two).strip() for one, two in re.findall(_ITEM, text)]
    items = parse_json(text, f"{where}: the cell {short(text)}")
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InputError(f"{where}: the cell {short(text)} is no list of class names")
    return [item.strip() for item in items if item.strip()]


def _refuse_doubtful_blanks(texts: Iterable[str], where: str) -> None:
    """Names such as `traffic light` are fine; where its words are a cell too, there is a doubt."""
    words = {text: frozenset(text.split()) for text in sorted(texts)}
    by_first: dict[str, list[str]] = {}
    for text, each in words.items():
        by_first.setdefault(min(each), []).append(text)
    for text, each in words.items():
        inside = [other for word in each for other in by_first.get(word, ())]
        doubtful = [other for other in inside if other != text and words[other] <= each]
        if doubtful:
            raise InputError(
                f"{where}: the tags {listed([doubtful[0], text])}: are blanks between tags, or "
                "part of names? separate tags by ';', or give the class names with "
                "data.classes=FILE"
            )
