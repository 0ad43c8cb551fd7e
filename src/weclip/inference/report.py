"""One page that shows a run: scores, per-class bars, curves, scenes. A single HTML file.

Stage 6. Pictures are inside the file, charts are SVG and HTML, and there is no script, so the
page can be mailed, archived and read offline. The page's frame and style are in `report.html`.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from weclip.data.colours import RGB
from weclip.files import write_text
from weclip.inference.charts import class_bars, line_chart
from weclip.inference.record import KINDS, percent, protocol_text

Records = Mapping[str, Mapping[str, Any]]
"""Name of a score -> record of `evaluation_record`."""

_LONGEST_SIDE = 320  # pixels of a picture in the page: keeps the file small


@dataclass(frozen=True)
class SceneRow:
    """One scene of the report: several pictures of the same image.

    Attributes:
        name: The image's name.
        note: Why it is shown, such as `best, 91.2`.
        images: Captions and pictures; captions are the column heads.
    """

    name: str
    note: str
    images: Sequence[tuple[str, Image.Image]]


def write_report(
    path: Path,
    *,
    title: str,
    scores: Records,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    scenes: Sequence[SceneRow],
    class_colours: Mapping[str, RGB],
    credits: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Write the page.

    Args:
        path: The `.html` file.
        title: Heading of the page.
        scores: Records by name, in the order of the table. The first of each kind is also in the
            headline and in the bars.
        curves: Curve name -> (step, value) pairs.
        scenes: Rows of pictures, all with the same captions.
        class_colours: C names with their colours, background first, for the colour key.
        credits: Lines at the foot, such as picture sources.
        settings: The resolved configuration; may be nested.
    """
    frame = resources.files("weclip.inference").joinpath("report.html").read_text("utf-8")
    by_kind = _first_of_kind(scores)
    page = Template(frame).substitute(
        title=escape(title),
        headline=_headline(by_kind),
        score_table=_score_table(scores),
        group_table=_group_table(scores),
        class_bars=class_bars(
            {name: record["per_class_iou"] for name, record in by_kind.items()},
            colours={name: record["kind"] for name, record in by_kind.items()},
        ),
        curves=_curves(curves),
        scenes=_scenes(scenes),
        colour_key=_colour_key(class_colours),
        provenance=_provenance(scores),
        settings=_settings(settings),
        credits="".join(f"<p>{escape(line)}</p>" for line in credits),
    )
    write_text(path, page)


def _first_of_kind(scores: Records) -> dict[str, Mapping[str, Any]]:
    chosen = {}
    for kind in KINDS:
        name = next((n for n, record in scores.items() if record["kind"] == kind), None)
        if name is not None:
            chosen[name] = scores[name]
    return chosen


def _headline(by_kind: Records) -> str:
    cards = [
        f'<div class="card {record["kind"]}-edge"><div class="card-name">{escape(name)}</div>'
        f'<div class="number">{percent(record["miou"])}</div>'
        f'<div class="muted">mIoU, %</div></div>'
        for name, record in by_kind.items()
    ]
    return '<div class="arrow" aria-hidden="true">→</div>'.join(cards)


def _score_table(scores: Records) -> str:
    rows = [
        [
            escape(name),
            escape(record["split"]),
            str(record["num_images"]),
            percent(record["miou"]),
            percent(record["pixel_accuracy"]),
            percent(record["mean_class_accuracy"]),
            escape(protocol_text(record)),
        ]
        for name, record in scores.items()
    ]
    heads = ["", "split", "images", "mIoU", "pixel accuracy", "class accuracy", "protocol"]
    return _table(heads, rows, numbers={2, 3, 4, 5})


def _group_table(scores: Records) -> str:
    """mIoU by group of images; nothing if no record has groups."""
    groups = list(dict.fromkeys(group for record in scores.values() for group in record["groups"]))
    if not groups:
        return ""
    rows = []
    for name, record in scores.items():
        cells = [escape(name), percent(record["miou"])]
        for group in groups:
            values = record["groups"].get(group)
            cells.append(percent(values["miou"]) if values else "–")
            cells.append(str(values["num_images"]) if values else "–")
        rows.append(cells)
    heads = ["mIoU", "all"]
    for group in groups:
        heads += [escape(group), "images"]
    return _table(heads, rows, numbers=set(range(1, len(heads))), compact=True)


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: set[int],
    compact: bool = False,
) -> str:
    """A table from cells that are already HTML; columns in `numbers` align right."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=num' if column in numbers else ''}>{value}</{tag}>"
            for column, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    style = " class=compact" if compact else ""
    return (
        f'<div class="scroll"><table{style}><thead><tr>{cells("th", heads)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _curves(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    panels = []
    for name, points in curves.items():
        last = f'<span class="muted">last {points[-1][1]:.4g}</span>' if points else ""
        chart = line_chart(points, x_label="step", name=name)
        panels.append(f'<div class="panel"><h3>{escape(name)} {last}</h3>{chart}</div>')
    return "".join(panels) or '<p class="muted">No curves were logged.</p>'


def _scenes(scenes: Sequence[SceneRow]) -> str:
    if not scenes:
        return '<p class="muted">No scenes.</p>'
    columns = max(len(scene.images) for scene in scenes)
    heads = "".join(f"<div>{escape(caption)}</div>" for caption, _ in scenes[0].images)
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
    return "".join(rows)


def _data_uri(picture: Image.Image) -> str:
    """A picture as a PNG inside an address."""
    small = picture.copy()
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _colour_key(class_colours: Mapping[str, RGB]) -> str:
    return "".join(
        f'<li><span class="swatch" style="background:rgb({r},{g},{b})"></span>{escape(name)}</li>'
        for name, (r, g, b) in class_colours.items()
    )


def _provenance(scores: Records) -> str:
    rows = [
        [
            escape(name),
            escape(str(record["checkpoint"])),
            "–" if record["seed"] is None else str(record["seed"]),
            escape(", ".join(f"{part} {v}" for part, v in record["versions"].items())),
        ]
        for name, record in scores.items()
    ]
    return _table(["", "scored", "seed", "versions"], rows, numbers={2})


def _settings(settings: Mapping[str, Any]) -> str:
    rows = [[escape(key), escape(str(value))] for key, value in _flatten(settings)]
    return _table(["setting", "value"], rows, numbers=set())


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value))
    return flat
