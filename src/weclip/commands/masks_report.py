"""The report of `weclip evaluate --masks`: scores, and the scenes on which the folders differ."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.commands.evaluate import REPORT_NAME, Record
from weclip.commands.mask_folders import Compared, ReadScene, Scene
from weclip.config import Config
from weclip.data.classes import ClassList
from weclip.data.colours import RGB
from weclip.inference.comparison import (
    NONE_RIGHT,
    SOME_RIGHT,
    difference_picture,
    hardest,
    method_colour,
    most_different,
)
from weclip.inference.evaluate import EvaluationResult
from weclip.inference.report import Report, write_report
from weclip.inference.scenes import SceneRow
from weclip.inference.visualize import overlay

SHOWN = 6
"""Scenes on which the folders differ most; of one folder its worst."""
SHOWN_BESIDE = 3
"""Scenes that are hardest for all; of one folder its best."""


def write_masks_report(
    out: Path,
    records: Mapping[str, Record],
    results: Mapping[str, EvaluationResult],
    pairs: Sequence[Mapping[str, Any]],
    read: Callable[[Sequence[str]], Iterable[Compared]],
    *,
    classes: ClassList,
    config: Config,
) -> None:
    """Write `report.html`.

    Args:
        out: Folder of the evaluation.
        records: Records by name.
        results: Their results, by the same names.
        pairs: Of `Comparison.pairs`.
        read: Gives the scenes with these image names, in this order.
        classes: Class list, for names and colours.
        config: As `evaluate_masks` has it.
    """
    names = list(results)
    notes = chosen_scenes(results)
    rows = [
        scene_row(
            notes[scene.sample.name],
            found,
            dict(zip(names, label_maps, strict=True)),
            scene,
            classes.palette,
        )
        for scene, found, label_maps in read(list(notes))
    ]
    split = config.data.eval_split
    write_report(
        out / REPORT_NAME,
        Report(
            title=f"Masks scored on {split}",
            introduction=(
                "mIoU is that of one confusion matrix over all images of the split, over the "
                "classes in its ground truth. Pixels that a mask leaves unsure (255) are wrong."
            ),
            scores=records,
            pairs=pairs,
            scenes=rows,
            difference_colours=difference_colours(names),
            class_colours=classes.colours_by_name,
            settings={"data": asdict(config.data), "eval": {"crf": config.eval.crf}},
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
    note: str,
    found: ReadScene,
    label_maps: Mapping[str, NDArray[np.uint8]],
    scene: Scene,
    palette: NDArray[np.uint8],
) -> SceneRow:
    """One scene's image, masks by record, who is right, truth."""
    image = found.image
    assert image is not None  # it was asked for
    right = "wrong" if len(label_maps) == 1 else "who is right"
    pictures = [
        ("image", Image.fromarray(image)),
        *((name, overlay(image, ids, palette=palette)) for name, ids in label_maps.items()),
        (right, difference_picture(image, list(label_maps.values()), found.truth)),
        ("truth", overlay(image, found.truth, palette=palette)),
    ]
    return SceneRow(scene.sample.name, note, pictures)
