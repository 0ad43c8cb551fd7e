"""`weclip evaluate --masks`: score folders of predicted masks of any origin, without a model."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.config import Config
from weclip.config_changes import Change
from weclip.data.masks.mask_labels import mask_labels
from weclip.inference.mask_crf import LABEL_CERTAINTY, refine_masks
from weclip.inference.prediction import Crf
from weclip.inference.report.comparison import Comparison
from weclip.inference.report.overview.page import REPORT_NAME
from weclip.inference.scores.evaluate import EvaluationResult, Tally
from weclip.inference.scores.record import evaluation_record
from weclip.inference.stream.beside import in_processes, read_ahead
from weclip.labels.dense_crf import installed_crf
from weclip.system.console import QUIET, warn
from weclip.system.distributed import connect, own_part
from weclip.system.errors import InputError
from weclip.system.files import write_json
from weclip.system.locks import working_in
from weclip.system.provenance import versions
from weclip.tasks.agreement import Seen, agree_on_inputs, agree_on_settings, seen_in
from weclip.tasks.check import UNUSED
from weclip.tasks.datasets import configuration, open_configured
from weclip.tasks.evaluate.mask_folders import (
    Compared,
    ReadScene,
    Scene,
    find_masks,
    named_folders,
    read_scene,
    require_same_classes,
)
from weclip.tasks.evaluate.model import KIND, claim, eval_split, keep
from weclip.tasks.evaluate.scored_report import (
    About,
    Record,
    Scored,
    ShownScene,
    write_scored_report,
)
from weclip.training.runlog import tracked

COMPARISON_NAME = "comparison.json"
WITH_CRF = " + CRF"

Ids = NDArray[np.uint8]


def evaluate_masks(
    masks: Sequence[str],
    config: Config,
    out: Path,
    *,
    console: Console = QUIET,
    allow_missing: bool = False,
    overwrite: bool = False,
) -> dict[str, Record]:
    """Score predicted masks against those of `data.eval_split`, and show where folders differ.

    Pixels that a predicted mask marks 255 are unsure; wrong wherever the truth has a class.

    Args:
        masks: Folders, `DIR` or `NAME=DIR`, of PNGs under the images' names, sub-folders included:
            class ids, or RGB in the class colours. `mask_labels` of a data set are for its own
            masks only.
        config: Resolved configuration; only `data`, `faithful` and `eval.crf` are read. With
            `eval.crf` each folder is scored as it is and after the dense CRF.
        out: Folder for `evaluation.json`, `report.html`, and `comparison.json` of several folders.
        console: Where the table is shown; by default nowhere.
        allow_missing: Score the images of which every folder has a mask, instead of ending where
            some are missing.
        overwrite: Replace an earlier output in `out`.

    Returns:
        Records by name.

    Raises:
        InputError: Masks are missing, unreadable, of another size than the truth or with unknown
            ids or colours; the data set cannot be used; or the CRF is not installed.
    """
    with working_in(out, KIND, first=connect().is_main_process):
        return _evaluate_masks(
            masks, config, out, console=console, allow_missing=allow_missing, overwrite=overwrite
        )


def _evaluate_masks(
    masks: Sequence[str],
    config: Config,
    out: Path,
    *,
    console: Console,
    allow_missing: bool,
    overwrite: bool,
) -> dict[str, Record]:
    """As `evaluate_masks`, in a folder that is held."""
    folders = named_folders(masks)
    agree_on_settings(config, masks=list(folders), missing=allow_missing, overwrite=overwrite)
    sources = record_sources(folders, crf=config.eval.crf)
    split = eval_split(config.data)
    crf = installed_crf() if config.eval.crf else None
    dataset = open_configured(config, console, trains=False)
    classes = dataset.classes
    require_same_classes(folders, classes.names_with_background)
    samples = dataset.read_masked_split(split)
    scenes, missing = find_masks(folders, samples, console, allow_missing=allow_missing)
    seen = chain(seen_in(scene.sample for scene in scenes), predicted_in(scenes))
    agree_on_inputs(seen, class_list=str(asdict(classes)))
    claim(out, overwrite, [*folders.values(), Path(config.data.root)])
    read = partial(
        read_scene,
        labels=mask_labels(classes),
        num_classes=classes.num_classes,
        reading=config.data.reading,
    )
    own = own_part(scenes)
    streamed = tracked(compared_masks(own, read, crf), "evaluation", len(own), console)
    results, comparison = score(streamed, list(sources), classes.num_classes)
    scored = {}
    for name, (folder, refined) in sources.items():
        record = evaluation_record(
            results[name],
            class_names=classes.names_with_background,
            kind="masks",
            split=split,
            protocol=protocol(missing, crf=refined),
            checkpoint=str(folder),
            seed=None,
            versions=versions(),
        )
        scored[name] = Scored(results[name], record)
    records = {name: each.record for name, each in scored.items()}
    keep(records, out, console)
    if connect().is_main_process:
        about = about_masks(config, comparison)
        if about.pairs:
            write_json(out / COMPARISON_NAME, {"pairs": about.pairs})
        try:
            shown = partial(shown_scenes, scenes, read, crf)
            write_scored_report(out, scored, shown, about, classes)
        except InputError as error:  # scores need no images
            warn(console, f"{error}; so there is no {REPORT_NAME}")
    return records


def predicted_in(scenes: Sequence[Scene]) -> Iterator[Seen]:
    """The predicted masks of each image."""
    return ((scene.sample.name, None, scene.files) for scene in scenes)


def masks_configuration(config: str | None, data: Path | None, changes: Sequence[Change]) -> Config:
    """As `configuration`, without the weights of a CLIP, which masks that are there do not need."""
    return configuration(config, data, changes, unused=UNUSED)


def record_sources(folders: dict[str, Path], *, crf: bool) -> dict[str, tuple[Path, bool]]:
    """Folder, and whether it is refined, by the name of the record.

    Raises:
        InputError: A folder has the name of another one's refined masks.
    """
    sources: dict[str, tuple[Path, bool]] = {}
    for name, folder in folders.items():
        sources[name] = folder, False
        if crf:
            if f"{name}{WITH_CRF}" in folders:
                raise InputError(
                    f"--masks: '{name}{WITH_CRF}' is what '{name}' is called after the CRF; give "
                    "the folder another name: --masks NAME=DIR"
                )
            sources[f"{name}{WITH_CRF}"] = folder, True
    return sources


def protocol(missing: Sequence[str], *, crf: bool) -> dict[str, Any]:
    """What is known of how masks were scored."""
    certainty = {"label_certainty": LABEL_CERTAINTY} if crf else {}
    left_out = {"count": len(missing), "names": list(missing)}
    return {"unsure": "wrong", "missing": left_out, "crf": crf, **certainty}


def compared_masks(
    scenes: Sequence[Scene],
    read: "partial[ReadScene]",
    crf: Crf | None,
    *,
    with_image: bool = False,
) -> Iterator[Compared]:
    """Read scenes ahead, in order, and refine their masks by the CRF in processes beside it.

    Raises:
        InputError: A file cannot be read, or does not fit the others.
    """
    wanted = with_image or crf is not None
    ahead = read_ahead(scenes, partial(read, with_image=wanted))
    if crf is None:
        for scene, found in ahead:
            yield scene, found, found.predicted
        return
    calls = (((scene, found), _refinement(crf, found)) for scene, found in ahead)
    for (scene, found), refined in in_processes(calls):
        given = zip(found.predicted, refined, strict=True)
        yield scene, found, [label_map for both in given for label_map in both]


def _refinement(crf: Crf, found: ReadScene) -> "partial[list[Ids]]":
    assert found.image is not None  # it was asked for
    return partial(refine_masks, crf, found.image, found.predicted)


def score(
    streamed: Iterator[Compared], names: Sequence[str], num_classes: int
) -> tuple[dict[str, EvaluationResult], Comparison]:
    """Score the masks of every record, and count where they differ; of all processes."""
    tallies = [Tally(num_classes, boundary=True, unsure=True) for _ in names]
    comparison = Comparison(names)
    for scene, found, label_maps in streamed:
        for tally, label_map in zip(tallies, label_maps, strict=True):
            tally.add(scene.sample.name, label_map, found.truth)
        comparison.add(label_maps, found.truth)
    results = [tally.gather().result() for tally in tallies]
    return dict(zip(names, results, strict=True)), comparison.gather()


def about_masks(config: Config, comparison: Comparison) -> About:
    """What the report says of masks."""
    return About(
        title=f"Masks scored on {config.data.eval_split}",
        introduction=(
            "mIoU is that of one confusion matrix over all images of the split, over the classes "
            "in its ground truth. Pixels that a mask leaves unsure (255) are wrong."
        ),
        settings={"data": asdict(config.data), "eval": {"crf": config.eval.crf}},
        pairs=comparison.pairs(),
    )


def shown_scenes(
    scenes: Sequence[Scene], read: "partial[ReadScene]", crf: Crf | None, names: Sequence[str]
) -> Iterator[ShownScene]:
    """Read the scenes of these names again, to be shown, with their masks as they were scored."""
    by_name = {scene.sample.name: scene for scene in scenes}
    chosen = [by_name[name] for name in names]
    for scene, found, label_maps in compared_masks(chosen, read, crf, with_image=True):
        assert found.image is not None  # it was asked for
        yield ShownScene(scene.sample.name, found.image, found.truth, label_maps)
