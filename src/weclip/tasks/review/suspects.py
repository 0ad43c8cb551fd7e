"""The list of `weclip check --suspects`, as the page shows it."""

from collections.abc import Collection
from pathlib import Path

from weclip.data.images.image_kinds import is_image
from weclip.data.tags.tables.csv_files import parse_table
from weclip.review.reviewed import Doubt
from weclip.system.errors import InputError

COLUMNS = ("image", "tag", "seen", "confidence")


def read_suspects(path: Path, names: Collection[str]) -> dict[str, list[Doubt]]:
    """Name of an image -> what is suspected of its tags, worst first.

    Args:
        path: The list, `.csv`.
        names: Names of the images that are reviewed.

    Raises:
        InputError: It is no such list, or of other images.
    """
    table = parse_table(path)
    if tuple(table.header) != COLUMNS:
        raise InputError(f"--suspects {path}: no list of weclip check --suspects")
    found: dict[str, list[Doubt]] = {}
    for line, row in table.rows:
        image = row["image"]
        name = image.rpartition(".")[0] if is_image(image) else image
        try:
            doubt = Doubt(_text(row["tag"], row["seen"]), float(row["confidence"]))
        except ValueError:
            raise InputError(f"--suspects {path}, line {line}: 'confidence' is no number") from None
        found.setdefault(name, []).append(doubt)
    if found and not any(name in names for name in found):
        raise InputError(f"--suspects {path}: none of its images is among those reviewed")
    return found


def _text(tag: str, seen: str) -> str:
    if not tag:
        return f"CLIP sees {seen}, which is no tag"
    return f"CLIP does not see {tag}" + (f", but {seen}" if seen else "")
