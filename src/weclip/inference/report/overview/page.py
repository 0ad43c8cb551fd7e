"""The report of a training, of masks from tags, or of predictions: one file, without a script.

Stage 6. The page's frame is `overview.html`, its style `style.css` and `overview.css` beside it.
`scenes.csv` holds the numbers of all scenes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from weclip.data.classes import ClassList
from weclip.inference.report.charts import line_chart
from weclip.inference.report.overview.advice import Advice, Points
from weclip.inference.report.overview.cards import Room, Section, cards
from weclip.inference.report.overview.classes import (
    ClassRow,
    Matrix,
    class_table,
    confusion_table,
)
from weclip.inference.report.overview.html import number_of, plain, table, text
from weclip.inference.report.overview.scene import Scene
from weclip.inference.report.overview.scenes_csv import scenes_csv
from weclip.system.files import write_text

REPORT_NAME = "report.html"
SCENES_NAME = "scenes.csv"

MOST_BYTES = 20 * 10**6
"""Of the page."""

MOST_POINTS = 1000
"""Of a curve; of more, evenly chosen ones are drawn."""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What the page shows.

    Attributes:
        title: Heading.
        lead: One or two sentences: what this is of.
        headline: Numbers of the run: what, the number, a few words on it.
        advice: What to do next, the most important first.
        data: Lines on what the data are.
        tag_counts: Images by number of tags, from 0 on; none where no tags are known.
        curves: Name of a curve -> (step, value).
        rows: Classes in numbers, in the order of their ids.
        matrix: Confusion matrix (C, C); None without masks.
        scored: What the scores are of, in a sentence.
        sections: Scenes with their pictures.
        scenes: All scenes, for `scenes.csv`, in its order.
        command: The command that repeats it, for a shell.
        settings: Dotted key -> value.
        classes: Class list, for names and colours.
    """

    title: str
    lead: str
    headline: Sequence[tuple[str, str, str]]
    advice: Sequence[Advice]
    data: Sequence[str]
    rows: Sequence[ClassRow]
    sections: Sequence[Section]
    scenes: Sequence[Scene]
    command: str
    settings: Mapping[str, Any]
    classes: ClassList
    tag_counts: Sequence[int] = ()
    curves: Mapping[str, Points] | None = None
    matrix: Matrix | None = None
    scored: str = ""


def write_overview(out: Path, overview: Overview) -> Path:
    """Write `scenes.csv` and then `report.html`, and return the page.

    Raises:
        WriteError: The disk is full, or the folder cannot be written to.
    """
    names = overview.classes.names_with_background
    write_text(out / SCENES_NAME, scenes_csv(overview.scenes, names))
    write_text(out / REPORT_NAME, overview_page(overview))
    return out / REPORT_NAME


def overview_page(overview: Overview) -> str:
    """The page; see `Overview`."""
    names = overview.classes.names_with_background
    colours = list(overview.classes.colours_by_name.values())
    parts = {
        "Next": ("What to do next", _advice(overview.advice)),
        "Data": ("The data", _data(overview)),
        "Training": ("Training", _curves(overview.curves)),
        "Classes": ("Classes", class_table(overview.rows, names, colours)),
        "Confusion": ("What is taken for what, %", _confusion(overview)),
        "Scenes": ("Scenes", _scenes(overview)),
        "Repeat": ("Repeat it", _repeat(overview)),
    }
    filled = {key: part for key, part in parts.items() if part[1]}
    links = "".join(f'<li><a href="#{key.lower()}">{key}</a></li>' for key in filled)
    body = "".join(
        f'<section id="{key.lower()}"><h2>{title}</h2>{content}</section>'
        for key, (title, content) in filled.items()
    )
    return Template(_file("overview.html")).substitute(
        title=plain(overview.title),
        style=_file("style.css"),
        own_style=_file("overview.css"),
        lead=text(overview.lead),
        headline=_headline(overview.headline),
        links=links,
        body=body,
    )


def _file(name: str) -> str:
    return resources.files("weclip.inference.report").joinpath(name).read_text("utf-8")


def _headline(numbers: Sequence[tuple[str, str, str]]) -> str:
    return "".join(
        f'<div class="card"><div class="card-name">{plain(what)}</div>'
        f'<div class="number">{plain(number)}</div><div class="muted">{plain(note)}</div></div>'
        for what, number, note in numbers
    )


def _advice(advice: Sequence[Advice]) -> str:
    items = "".join(
        f"<li><h3>{text(each.title)}</h3><p>{text(each.why)}</p>"
        + (_command(each.command) if each.command else "")
        + "</li>"
        for each in advice
    )
    return f'<ol class="advice">{items}</ol>' if items else ""


def _command(line: str) -> str:
    return f'<pre tabindex="0"><code>{plain(line)}</code></pre>'


def _data(overview: Overview) -> str:
    lines = "".join(f"<li>{text(line)}</li>" for line in overview.data)
    listed = f'<ul class="lines">{lines}</ul>' if lines else ""
    return listed + _tag_counts(overview.tag_counts)


def _tag_counts(counts: Sequence[int]) -> str:
    """A small bar chart of how many images have how many tags."""
    if not any(counts):
        return ""
    most = max(counts)
    bars = "".join(
        f'<div class="column"><span class="count">{count:,}</span>'
        f'<span class="stick" style="--h:{count / most:.3f}"></span>'
        f'<span class="under">{number}</span></div>'
        for number, count in enumerate(counts)
    )
    told = ", ".join(f"{number_of(n, 'image')} with {i}" for i, n in enumerate(counts) if n)
    return (
        '<div class="panel tags"><h3>Tags per image</h3>'
        f'<div class="columns" role="img" aria-label="Tags per image: {plain(told)}">{bars}</div>'
        "</div>"
    )


def _curves(curves: Mapping[str, Points] | None) -> str:
    if not curves:
        return ""
    panels = []
    for name, points in curves.items():
        chart = line_chart(_thinned(points), x_label="step", name=name)
        last = f'<span class="muted">last {points[-1][1]:.4g}</span>' if points else ""
        panels.append(f'<div class="panel"><h3>{text(name)} {last}</h3>{chart}</div>')
    return f'<div class="curves">{"".join(panels)}</div>'


def _thinned(points: Points) -> Points:
    every = -(-len(points) // MOST_POINTS)
    return points if every < 2 else [*points[:-1:every], points[-1]]


def _confusion(overview: Overview) -> str:
    if overview.matrix is None:
        return ""
    names = overview.classes.names_with_background
    scored = f'<p class="muted">{text(overview.scored)}</p>' if overview.scored else ""
    return scored + confusion_table(overview.matrix, names)


def _scenes(overview: Overview) -> str:
    names = overview.classes.names_with_background
    colours = list(overview.classes.colours_by_name.values())
    room, blocks = Room(), []
    for section in overview.sections:
        made = cards(section, names, colours, room)
        if not section.scenes:
            continue
        rest = len(section.scenes) - len(made)
        more = f" {number_of(rest, 'more scene')} in {SCENES_NAME}." if rest else ""
        blocks.append(
            f'<h3 class="group">{text(section.title)} '
            f'<span class="muted">{len(made)} of {len(section.scenes):,}</span></h3>'
            f'<p class="muted">{text(section.note)}{more}</p>'
            f'<div class="scenes">{"".join(made)}</div>'
        )
    if not blocks:
        return ""
    csv = f'<p class="muted">All numbers: <a href="{SCENES_NAME}">{SCENES_NAME}</a>.</p>'
    return "".join(blocks) + csv


def _repeat(overview: Overview) -> str:
    rows = [[text(key), text(value)] for key, value in overview.settings.items()]
    listed = table(["setting", "value"], rows, numbers=set())
    details = f"<details><summary>Settings</summary>{listed}</details>" if rows else ""
    return _command(overview.command) + details
