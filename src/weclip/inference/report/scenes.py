"""Rows of pictures in a report: scenes, each seen in several ways.

Stage 6. Pictures are inside the page, as PNGs.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image

_LONGEST_SIDE = 320  # pixels of a picture in the page: keeps the file small
_MOST_COLUMNS = 7  # of pictures; rows of more are wrapped, each picture with its caption


@dataclass(frozen=True)
class SceneRow:
    """One scene of the report: several pictures of the same image.

    Attributes:
        name: The image's name.
        note: Why it is shown, such as `best, 91.2`.
        images: Captions and pictures of `small`; captions are the column heads.
    """

    name: str
    note: str
    images: Sequence[tuple[str, Image.Image]]


def scene_rows(scenes: Sequence[SceneRow]) -> str:
    """The rows as HTML, under their captions; a sentence if there are none."""
    if not scenes:
        return '<p class="muted">No scenes.</p>'
    columns = max(len(scene.images) for scene in scenes)
    heads = "".join(f"<div>{escape(caption)}</div>" for caption, _ in scenes[0].images)
    wrapped = ' class="wrapped"' if columns > _MOST_COLUMNS else ""
    grid = f'style="--columns:{columns}"'
    rows = [f'<div class="strip heads" {grid} aria-hidden="true">{heads}</div>']
    for scene in scenes:
        figures = "".join(
            f'<figure><img src="{_data_uri(picture)}" alt="{escape(scene.name)}: {escape(caption)}"'
            f' width="{picture.width}" height="{picture.height}" loading="lazy">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for caption, picture in scene.images
        )
        rows.append(
            f'<div class="scene"><h3>{escape(scene.name)} <span class="muted">'
            f"{escape(scene.note)}</span></h3>"
            f'<div class="strip" {grid}>{figures}</div></div>'
        )
    return f"<div{wrapped}>{''.join(rows)}</div>"


def small(picture: Image.Image) -> Image.Image:
    """Shrink a picture, in place, to what a page shows; it is large only as long as it is made."""
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return picture


def _data_uri(picture: Image.Image) -> str:
    """A picture as a PNG inside an address."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
