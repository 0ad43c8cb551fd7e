"""How a segmentation shows itself in a notebook: its picture, and a legend beside it.

Stage 6. Colours of text and ground are the notebook's own, light or dark.
"""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LONGEST_SIDE = 640
"""Pixels of a picture in a notebook, which keeps it."""


class ClassShare(NamedTuple):
    """A class that an image holds.

    Attributes:
        name: Its name.
        id: Its class id; 0 is background.
        share: Share of the image's pixels, over 0 and up to 1.
        confidence: Mean confidence of these pixels, from 0 to 1.
    """

    name: str
    id: int
    share: float
    confidence: float


def small_picture(picture: Image.Image) -> Image.Image:
    """A picture as it is, or shrunk to what a notebook keeps."""
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return picture


def page_of(picture: Image.Image, classes: Sequence[ClassShare], palette: NDArray[np.uint8]) -> str:
    """A picture with its legend as HTML.

    Args:
        picture: RGB, shrunk in place.
        classes: What the picture holds.
        palette: (256, 3) colours by class id.
    """
    buffer = BytesIO()
    small_picture(picture).save(buffer, "PNG")
    data = b64encode(buffer.getvalue()).decode("ascii")
    rows = "".join(_row(each, palette[each.id]) for each in classes)
    heads = "".join(f"<th>{text}</th>" for text in ("", "class", "pixels", "confidence"))
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<img alt="segmentation" src="data:image/png;base64,{data}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(found: ClassShare, colour: NDArray[np.uint8]) -> str:
    """One line of the legend; background is not painted, so it has no colour."""
    red, green, blue = colour.tolist()
    swatch = (
        f'<span style="display:inline-block;width:1em;height:1em;background:'
        f'rgb({red},{green},{blue})"></span>'
        if found.id
        else ""
    )
    return (
        f"<tr><td>{swatch}</td><td>{escape(found.name)}</td>"
        f"<td>{100 * found.share:.1f} %</td><td>{found.confidence:.2f}</td></tr>"
    )
