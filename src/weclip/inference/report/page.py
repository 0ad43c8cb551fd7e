"""One page that shows scores: tables, bars per class, curves, scenes. A single HTML file.

Stage 6. Pictures are inside the file, charts are SVG and HTML, and there is no script, so the
page can be mailed, archived and read offline. Its frame is `report.html`, its style `style.css`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from weclip.data.masks.colours import RGB
from weclip.inference.report.charts import class_bars, line_chart
from weclip.inference.report.comparison import method_colour
from weclip.inference.report.scenes import SceneRow, scene_rows
from weclip.inference.scores.record import percent, protocol_text
from weclip.system.files import write_text

Records = Mapping[str, Mapping[str, Any]]
"""Name of a score -> record of `evaluation_record`."""

FROM_TAGS = (
    "Trained from image tags only; masks are read for scoring. mIoU is that of one confusion "
    "matrix over all images of a split, over the classes in its ground truth. CAMs and "
    "pseudo-labels are given each image's tags; the segmenter is not."
)
"""Introduction of a page about a trained model."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the page shows.

    Attributes:
        title: Heading of the page.
        scores: Records by name, in the order of tables, headline and bars.
        scenes: Rows of pictures, all with the same captions.
        class_colours: C names with their colours, background first, for the colour key.
        settings: The resolved configuration; may be nested.
        introduction: What the scores are.
        curves: Curve name -> (step, value) pairs; None where nothing was trained.
        pairs: Of `Comparison.pairs`; none: nothing is said of where methods differ.
        difference_colours: Colours in difference pictures and what they mean; those of several
            records are also the records' own in the rest of the page.
        credits: Lines at the foot, such as picture sources.
    """

    title: str
    scores: Records
    scenes: Sequence[SceneRow]
    class_colours: Mapping[str, RGB]
    settings: Mapping[str, Any]
    introduction: str = FROM_TAGS
    curves: Mapping[str, Sequence[tuple[float, float]]] | None = None
    pairs: Sequence[Mapping[str, Any]] = ()
    difference_colours: Mapping[str, RGB] = field(default_factory=dict)
    credits: Sequence[str] = ()


def write_report(path: Path, report: Report) -> None:
    """Write the page into an `.html` file."""
    folder = resources.files("weclip.inference.report")
    frame = folder.joinpath("report.html").read_text("utf-8")
    scores = report.scores
    colours = _series(scores, by_kind=len(report.difference_colours) < 2)
    page = Template(frame).substitute(
        title=escape(report.title),
        style=folder.joinpath("style.css").read_text("utf-8"),
        series_style=_series_style(len(scores)),
        headline=_headline(scores, colours),
        introduction=escape(report.introduction),
        score_table=_score_table(scores),
        group_table=_group_table(scores),
        comparison=_comparison(report.pairs),
        class_bars=_bars(scores, colours, "per_class_iou", "IoU per class, %"),
        boundary_bars=_bars(scores, colours, "per_class_boundary_iou", "Boundary IoU per class, %"),
        training="" if report.curves is None else _training(report.curves),
        scenes=scene_rows(report.scenes),
        difference_key=_colour_key(report.difference_colours),
        colour_key=_colour_key(report.class_colours),
        provenance=_provenance(scores),
        settings=_settings(report.settings),
        credits="".join(f"<p>{escape(line)}</p>" for line in report.credits),
    )
    write_text(path, page)


def _series(scores: Records, *, by_kind: bool) -> dict[str, str]:
    """CSS class of each record's colour: that of difference pictures, or that of its kind.

    Only the first of a kind has the kind's colour, and masks have none.
    """
    classes: dict[str, str] = {}
    for index, (name, record) in enumerate(scores.items()):
        kind = record["kind"]
        free = by_kind and kind != "masks" and kind not in classes.values()
        classes[name] = kind if free else f"series-{index}"
    return classes


def _series_style(count: int) -> str:
    rules = []
    for index in range(count):
        colour = "rgb({},{},{})".format(*method_colour(index))
        rules.append(f".series-{index} {{ background: {colour}; }}")
        rules.append(f".series-{index}-edge {{ border-top-color: {colour}; }}")
    return "\n".join(rules)


def _headline(scores: Records, colours: Mapping[str, str]) -> str:
    """Cards; an arrow leads from one to the next where one is made from the other."""
    parts, before = [], None
    for name, css in colours.items():
        record = scores[name]
        if before not in (None, record["kind"]):
            parts.append('<div class="arrow" aria-hidden="true">→</div>')
        before = record["kind"]
        parts.append(
            f'<div class="card {css}-edge"><div class="card-name">{escape(name)}</div>'
            f'<div class="number">{percent(record["miou"])}</div>'
            f'<div class="muted">mIoU, %</div></div>'
        )
    return "".join(parts)


def _bars(scores: Records, colours: Mapping[str, str], key: str, title: str) -> str:
    """A section of bars of those records that have this score; empty if none has."""
    series = {name: record[key] for name, record in scores.items() if key in record}
    if not series:
        return ""
    return f"<h2>{title}</h2>{class_bars(series, colours=colours)}"


def _comparison(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Who is right where two methods differ."""
    if not pairs:
        return ""
    cases = ("differ", "first_right", "second_right", "both_wrong")
    rows = [
        [escape(pair["first"]), escape(pair["second"]), *(percent(pair[case]) for case in cases)]
        for pair in pairs
    ]
    heads = ["A", "B", "pixels", "of these: A right", "B right", "both wrong"]
    table = _table(heads, rows, numbers={2, 3, 4, 5}, compact=True)
    return f"<h2>Where they differ, %</h2>{table}"


def _score_table(scores: Records) -> str:
    rows = [
        [
            escape(name),
            escape(record["split"]),
            str(record["num_images"]),
            percent(record["miou"]),
            percent(record.get("boundary_iou")),
            percent(record["pixel_accuracy"]),
            percent(record["mean_class_accuracy"]),
            escape(protocol_text(record)),
        ]
        for name, record in scores.items()
    ]
    heads = ["", "split", "images", "mIoU", "boundary IoU", "pixel accuracy"]
    return _table([*heads, "class accuracy", "protocol"], rows, numbers={2, 3, 4, 5, 6})


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


def _training(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    panels = []
    for name, points in curves.items():
        last = f'<span class="muted">last {points[-1][1]:.4g}</span>' if points else ""
        chart = line_chart(points, x_label="step", name=name)
        panels.append(f'<div class="panel"><h3>{escape(name)} {last}</h3>{chart}</div>')
    shown = "".join(panels) or '<p class="muted">No curves were logged.</p>'
    return f'<h2>Training</h2><div class="curves">{shown}</div>'


def _colour_key(colours: Mapping[str, RGB]) -> str:
    """A list; nothing where there is nothing to explain."""
    items = "".join(
        f'<li><span class="swatch" style="background:rgb({r},{g},{b})"></span>{escape(name)}</li>'
        for name, (r, g, b) in colours.items()
    )
    return f'<ul class="legend key">{items}</ul>' if items else ""


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
