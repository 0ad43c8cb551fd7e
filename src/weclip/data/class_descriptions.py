"""Descriptions of classes, sentences that enrich what CLIP reads of a class: from a file.

Stage 1. A text file has a line `class: description` for each; a YAML or JSON file maps each class
to a list of descriptions, as published ones do.
"""

from collections.abc import Sequence
from pathlib import Path

from weclip.data.classes import ClassList
from weclip.system.errors import InputError
from weclip.system.untrusted.documents import parse_json, parse_yaml
from weclip.system.untrusted.files import read_text
from weclip.system.untrusted.text import short

MAPPINGS = (".json", ".yaml", ".yml")


def read_descriptions(path: Path, classes: ClassList) -> list[str]:
    """Read the descriptions of all classes; a class may have none.

    Args:
        path: `.json`, `.yaml` or any text file.
        classes: Class list, whose names the file uses.

    Returns:
        All descriptions in the file's order.

    Raises:
        InputError: The file is missing, malformed or empty, or names an unknown class.
    """
    text = read_text(path, "file of descriptions (clip.descriptions)")
    if path.suffix.lower() in MAPPINGS:
        found = [(name, line, str(path)) for name, lines in _mapping(text, path) for line in lines]
    else:
        found = list(_lines(text, path))
    for name, _, where in found:
        classes.index_of_tag(name, where)
    if not found:
        raise InputError(f"{path}: no descriptions; give at least one")
    return [line for _, line, _ in found]


def _lines(text: str, path: Path) -> Sequence[tuple[str, str, str]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, description = (part.strip() for part in line.partition(":"))
        if line.strip() and not (colon and name and description):
            raise InputError(
                f"{path}, line {number}: {short(line.strip())} is not 'class: description'"
            )
        if line.strip():
            rows.append((name, description, f"{path}, line {number}"))
    return rows


def _mapping(text: str, path: Path) -> list[tuple[str, list[str]]]:
    wanted = "expected class names, each with a list of texts"
    parse = parse_json if path.suffix.lower() == ".json" else parse_yaml
    document = parse(text, str(path))
    if not isinstance(document, dict):
        raise InputError(f"{path}: {wanted}")
    for name, lines in document.items():
        if not isinstance(lines, list) or not all(isinstance(x, str) and x.strip() for x in lines):
            raise InputError(f"{path}: {short(name)}: {wanted}")
    return [(str(name), lines) for name, lines in document.items()]
