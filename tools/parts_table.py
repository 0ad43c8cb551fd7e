"""Writes the table of shipped parts into docs/extending.md: python tools/parts_table.py."""

from dataclasses import fields
from pathlib import Path

from weclip import parts

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
BEGIN, END = "<!-- parts: made by tools/parts_table.py -->\n", "<!-- end of parts -->\n"


def table() -> str:
    """One row a part: what it is, what it reads, its settings with default and source."""
    rows = ["| Kind, key | Part | Reads | Settings: default (source) |", "|---|---|---|---|"]
    shipped = parts.shipped()
    for kind in parts.KINDS:
        for (kind_name, name), part in sorted(shipped.items()):
            if kind_name == kind.name:
                said = (part.__doc__ or "").splitlines()[0]
                reads = getattr(part, "reads", getattr(part, "needs", ()))
                what = f"`{name}`: {said}"
                cells = (f"{kind.name}, `{kind.key}`", what, ", ".join(reads), settings(part))
                rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def settings(part: type) -> str:
    """Settings of a part, then its quirks."""
    listed = [
        f"`{each.name}`: `quirks.{each.name}`"
        if parts.is_quirk(each)
        else f"`{each.name}`: {each.default} ({each.metadata.get('source', '-')})"
        for each in fields(part)
    ]
    return "; ".join(listed) or "-"


def with_table(page: str) -> str:
    """The page with the table as it is now between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
