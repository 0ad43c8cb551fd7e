"""Scenes as cards: pictures with names on their regions, the tags beside the prediction.

Stage 6. There are at most so many, and they take at most so many bytes: the page can be mailed.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from weclip.data.masks.colours import RGB
from weclip.inference.report.overview.html import percent_of, plain, swatch, text
from weclip.inference.report.overview.picture import Panel
from weclip.inference.report.overview.scene import NOWHERE, Scene

MOST_SCENES = 200
"""Scenes in a page, of all sections together."""

MOST_BYTES = 17 * 10**6
"""Bytes that they may take, of a page of at most 20 MB."""

Panels = Callable[[Scene], Sequence[Panel]]
"""Makes the pictures of a scene; none where its files cannot be read."""


@dataclass
class Room:
    """What is left for cards.

    Attributes:
        scenes: Cards.
        bytes: Bytes.
    """

    scenes: int = MOST_SCENES
    bytes: int = MOST_BYTES

    def take(self, card: str) -> bool:
        """Whether a card still fits; then its place is taken."""
        size = len(card.encode())
        if self.scenes < 1 or size > self.bytes:
            return False
        self.scenes -= 1
        self.bytes -= size
        return True


@dataclass(frozen=True)
class Section:
    """Scenes that are shown together.

    Attributes:
        title: Its heading.
        note: What is shown, and in which order.
        scenes: In their order.
        panels: Their pictures.
        most: How many are shown at most.
    """

    title: str
    note: str
    scenes: Sequence[Scene]
    panels: Panels
    most: int = field(default=MOST_SCENES)


def cards(section: Section, names: Sequence[str], colours: Sequence[RGB], room: Room) -> list[str]:
    """The cards of a section's first scenes, as many as there is room for.

    Args:
        section: The scenes.
        names: C names, background first.
        colours: C colours.
        room: What is left; it becomes less.
    """
    made: list[str] = []
    for scene in section.scenes[: section.most]:
        if room.scenes < 1:
            break
        card = scene_card(scene, section.panels(scene), names, colours)
        if not room.take(card):
            break
        made.append(card)
    return made


def scene_card(
    scene: Scene, panels: Sequence[Panel], names: Sequence[str], colours: Sequence[RGB]
) -> str:
    """One scene: why it is shown, its pictures, its legend."""
    chips = [f'<li class="chip doubt">{text(reason)}</li>' for reason in scene.reasons(names)]
    if scene.confidence is not None:
        chips.append(f'<li class="chip">confidence {100 * scene.confidence:.0f} %</li>')
    if scene.miou is not None:
        chips.append(f'<li class="chip">mIoU {100 * scene.miou:.0f} %</li>')
    if scene.unsure >= NOWHERE:
        chips.append(f'<li class="chip">unsure {percent_of(scene.unsure)}</li>')
    if scene.no_data >= NOWHERE:
        chips.append(f'<li class="chip">no data {percent_of(scene.no_data)}</li>')
    figures = "".join(_figure(scene, panel, names, colours) for panel in panels)
    shown = figures or '<p class="muted">Its files cannot be read.</p>'
    return (
        f'<article class="scene"><h3>{text(scene.name)}</h3>'
        f'<ul class="chips">{"".join(chips)}</ul>'
        f'<div class="panels">{shown}</div>{legend(scene, names, colours)}</article>'
    )


def legend(scene: Scene, names: Sequence[str], colours: Sequence[RGB]) -> str:
    """The scene's classes with their colours and shares, and what the tags say of each."""
    tagged = scene.tag_ids
    found = sorted(
        (i for i, share in scene.shares.items() if i and (share >= NOWHERE or i in tagged)),
        key=lambda i: -scene.shares[i],
    )
    items = [_entry(scene, i, names, colours) for i in dict.fromkeys([*found, *tagged])]
    if not items:
        items = ['<li class="muted">background only</li>']
    no_tags = '<li class="muted">no tags</li>' if scene.tags == () else ""
    return f'<ul class="legend">{"".join(items)}{no_tags}</ul>'


def _entry(scene: Scene, i: int, names: Sequence[str], colours: Sequence[RGB]) -> str:
    share = percent_of(scene.shares.get(i, 0.0))
    if i in scene.nowhere:
        return (
            f'<li class="entry missing">{swatch(colours[i], "hollow")}{text(names[i])} '
            '<span class="said">tag, nowhere</span></li>'
        )
    said = "tag" if i in scene.tag_ids else "no tag"
    if scene.tags is None:
        said = ""
    kind = " extra" if i in scene.untagged else ""
    note = f' <span class="said">{said}</span>' if said else ""
    return (
        f'<li class="entry{kind}">{swatch(colours[i])}{text(names[i])} '
        f'<span class="share">{share}</span>{note}</li>'
    )


def _figure(scene: Scene, panel: Panel, names: Sequence[str], colours: Sequence[RGB]) -> str:
    width, height = panel.size
    uri = "data:image/jpeg;base64," + base64.b64encode(panel.jpeg).decode("ascii")
    there = ", ".join(names[i] for i in panel.places)
    seen = f": {there}" if there else ""
    labels = "".join(_name(names[i], colours[i], x, y) for i, (x, y) in panel.places.items())
    return (
        f'<figure><div class="picture"><img src="{uri}" '
        f'alt="{plain(scene.name)}, {plain(panel.caption + seen)}" width="{width}" '
        f'height="{height}" loading="lazy" decoding="async">{labels}</div>'
        f"<figcaption>{text(panel.caption)}</figcaption></figure>"
    )


def _name(name: str, colour: RGB, x: float, y: float) -> str:
    """A name over its region, at a place that is not too near to the picture's edge."""
    r, g, b = colour
    left, top = (100 * min(0.84, max(0.16, x)), 100 * min(0.93, max(0.07, y)))
    return (
        f'<span class="name" aria-hidden="true" style="left:{left:.1f}%;top:{top:.1f}%;'
        f'--c:rgb({r},{g},{b})">{text(name)}</span>'
    )
