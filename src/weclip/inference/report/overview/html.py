"""Pieces of HTML that all parts of the page are made of. Foreign text comes in by `text` alone."""

from collections.abc import Iterable, Sequence
from html import escape

from weclip.data.masks.colours import RGB
from weclip.system.untrusted.text import shown


def text(given: object) -> str:
    """Foreign text: nothing in it is markup, moves a cursor or turns the direction of what follows.

    >>> text("<b>\\x1b[2J")
    '<bdi>&lt;b&gt;\\\\x1b[2J</bdi>'
    """
    return f"<bdi>{plain(given)}</bdi>"


def plain(given: object) -> str:
    """As `text`, where no tag may be: in an attribute."""
    return escape(shown(str(given)))


def swatch(colour: RGB, kind: str = "") -> str:
    """A small square of a class's colour; `kind` is a CSS class of its own."""
    css = f"swatch {kind}".strip()
    r, g, b = colour
    return f'<span class="{css}" style="--c:rgb({r},{g},{b})" aria-hidden="true"></span>'


def bar(share: float, shown_as: str) -> str:
    """A number in [0, 1] as a bar with its text."""
    width = 100 * min(1.0, max(0.0, share))
    return (
        f'<span class="meter"><span class="fill" style="width:{width:.1f}%"></span></span>'
        f'<span class="of">{escape(shown_as)}</span>'
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: set[int]) -> str:
    """A table that scrolls in its box, from cells that are HTML; `numbers` align right."""

    def cells(tag: str, values: Sequence[str]) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(
            f"<{tag}{scope}{' class=num' if column in numbers else ''}>{value}</{tag}>"
            for column, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{cells("th", heads)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def percent_of(share: float | None) -> str:
    """A share in [0, 1] for people.

    >>> percent_of(0.123), percent_of(0.0004), percent_of(0), percent_of(None)
    ('12.3 %', '&lt;0.1 %', '0 %', '–')
    """
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "&lt;0.1 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def number_of(count: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> number_of(1, "image"), number_of(1200, "class", "classes")
    ('1 image', '1,200 classes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
