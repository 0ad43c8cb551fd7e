"""The report of `weclip evaluate`: scores, and the scenes on which what is scored differs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.classes import ClassList
from weclip.data.masks.colours import RGB
from weclip.inference.report.comparison import (
    NONE_RIGHT,
    SOME_RIGHT,
    difference_picture,
    hardest,
    method_colour,
    most_different,
)
from weclip.inference.report.overview.page import REPORT_NAME
from weclip.inference.report.page import Report, write_report
from weclip.inference.report.scenes import SceneRow, small
from weclip.inference.scores.evaluate import EvaluationResult
from weclip.inference.visualize import overlay

SHOWN = 6
"""Scenes on which records differ most; of one record its worst."""
SHOWN_BESIDE = 3
"""Scenes that are hardest for all; of one record its best."""

Ids = NDArray[np.uint8]
Record = dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """A result, and the record of it that is kept."""

    result: EvaluationResult
    record: Record


class ShownScene(NamedTuple):
    """What of a scene is shown.

    Attributes:
        name: The image's name.
        image: (H, W, 3) uint8, RGB.
        truth: (H, W) ids, 255 where a pixel does not count.
        label_maps: (H, W) ids of each record, 255 where unsure.
    """

    name: str
    image: NDArray[np.uint8]
    truth: Ids
    label_maps: Sequence[Ids]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a report says of the scores.

    Attributes:
        title: Heading of the page.
        introduction: What the scores are.
        settings: The configuration; may be nested.
        pairs: Of `Comparison.pairs`.
    """

    title: str
    introduction: str
    settings: Mapping[str, Any]
    pairs: Sequence[Mapping[str, Any]] = ()


def write_scored_report(
    out: Path,
    scored: Mapping[str, Scored],
    read: Callable[[Sequence[str]], Iterable[ShownScene]],
    about: About,
    classes: ClassList,
) -> None:
    """Write `report.html`.

    Args:
        out: Folder of the evaluation.
        scored: Results and records by name.
        read: Gives the scenes with these image names, in this order.
        about: Texts and settings.
        classes: Class list, for names and colours.

    Raises:
        InputError: A scene cannot be read.
    """
    names = list(scored)
    notes = chosen_scenes({name: each.result for name, each in scored.items()})
    shown = read(list(notes))
    write_report(
        out / REPORT_NAME,
        Report(
            title=about.title,
            introduction=about.introduction,
            scores={name: each.record for name, each in scored.items()},
            pairs=about.pairs,
            scenes=[scene_row(s, names, notes[s.name], classes.palette) for s in shown],
            difference_colours=difference_colours(names),
            class_colours=classes.colours_by_name,
            settings=about.settings,
        ),
    )


def chosen_scenes(results: Mapping[str, EvaluationResult]) -> dict[str, str]:
    """Images to show, and why.

    Of several records those on which they differ most, then those that are hardest for all; of one
    record the worst, then the best.
    """
    image_miou = [result.image_miou for result in results.values()]
    if len(results) == 1:
        ranked = next(iter(results.values())).ranked()
        first, second = ("worst", ranked[::-1][:SHOWN]), ("best", ranked)
    else:
        differ = most_different(image_miou, SHOWN)
        first, second = ("differ most", differ), ("hardest for all", hardest(image_miou))
    why = dict.fromkeys(first[1], first[0])
    beside = [name for name in second[1] if name not in why][:SHOWN_BESIDE]
    why |= dict.fromkeys(beside, second[0])
    return {name: f"{reason}; mIoU: {_scores_of(name, results)}" for name, reason in why.items()}


def _scores_of(name: str, results: Mapping[str, EvaluationResult]) -> str:
    scores = {record: 100 * result.image_miou[name] for record, result in results.items()}
    if len(scores) == 1:
        return f"{next(iter(scores.values())):.0f}"
    return ", ".join(f"{record} {score:.0f}" for record, score in scores.items())


def difference_colours(names: Sequence[str]) -> dict[str, RGB]:
    """Meaning and colour of what difference pictures of these records show."""
    if len(names) == 1:
        return {"wrong": NONE_RIGHT}
    only = {f"only {name} right": method_colour(index) for index, name in enumerate(names)}
    some = {"several right, not all": SOME_RIGHT} if len(names) > 2 else {}
    return only | some | {"all wrong": NONE_RIGHT}


def scene_row(
    scene: ShownScene, names: Sequence[str], note: str, palette: NDArray[np.uint8]
) -> SceneRow:
    """One scene's image, label maps by record, who is right, truth."""
    image, truth, label_maps = scene.image, scene.truth, scene.label_maps
    by_name = zip(names, label_maps, strict=True)
    right = "wrong" if len(names) == 1 else "who is right"
    pictures = [
        ("image", small(Image.fromarray(image))),
        *((name, small(overlay(image, ids, palette=palette))) for name, ids in by_name),
        (right, small(difference_picture(image, label_maps, truth))),
        ("truth", small(overlay(image, truth, palette=palette))),
    ]
    return SceneRow(scene.name, note, pictures)
