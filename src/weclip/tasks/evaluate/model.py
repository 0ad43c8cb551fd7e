"""`weclip evaluate`: score a trained model, or the labels it learnt from, on a split with masks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from weclip.build.predictor import build_predictor, eval_precision
from weclip.config import DataConfig
from weclip.config_file import from_yaml, to_yaml
from weclip.data.batch import MaskedImage
from weclip.data.images.full_images import EvalItem, full_images
from weclip.inference.label_maps import evaluate_labels, make_label_maps
from weclip.inference.report.page import FROM_TAGS
from weclip.inference.scores.evaluate import (
    EvaluationResult,
    RegionsOf,
    Tally,
    evaluate_segmentation,
)
from weclip.inference.scores.record import evaluation_record, scores_table
from weclip.methods.labelling import LABEL_KINDS
from weclip.system.console import QUIET
from weclip.system.distributed import connect, default_device, own_part
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, claim_folder, sha256_of, write_json
from weclip.system.locks import working_in
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import parse_yaml
from weclip.tasks.agreement import agree_on_inputs, agree_on_settings, seen_in
from weclip.tasks.datasets import open_for_model, tell_lines
from weclip.tasks.evaluate.scored_report import (
    About,
    Record,
    Scored,
    ShownScene,
    write_scored_report,
)
from weclip.tasks.load.model import LoadedModel
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.regions.of_model import (
    ModelRegions,
    by_name,
    open_model_regions,
    regions_in,
)
from weclip.training.runlog import tracked

RECORD_NAME = "evaluation.json"
MODEL_SHA256 = "model_sha256"
"""Key of a record: of which model file it is, whatever folder that has moved to."""
KIND = "evaluation"

GroupOf = Callable[[str], str | None]


def evaluate(
    model_at: ModelAt,
    out: Path,
    *,
    console: Console = QUIET,
    labels: bool = False,
    overwrite: bool = False,
) -> dict[str, Record]:
    """Score a model on `data.eval_split`, write the records and show the table.

    Args:
        model_at: The model.
        out: Folder for `evaluation.json` and `report.html`.
        console: Where the table is shown; by default nowhere.
        labels: Score CAMs and pseudo-labels, made from the images' tags, instead of the model.
        overwrite: Replace an earlier output in `out`.

    Returns:
        Records by name.
    """
    with working_in(out, KIND, first=connect().is_main_process):
        return _evaluate(model_at, out, console=console, labels=labels, overwrite=overwrite)


def _evaluate(
    model_at: ModelAt, out: Path, *, console: Console, labels: bool, overwrite: bool
) -> dict[str, Record]:
    """As `evaluate`, in a folder that is held."""
    model = model_at.open(maps=labels)
    model.config.eval.precision = eval_precision(model.config, default_device())
    agree_on_settings(model.config, labels=labels, overwrite=overwrite)
    samples = masked_images(model, console)
    agree_on_inputs(seen_in(samples), model=sha256_of(model.path))
    build_predictor(model.config, model.method)  # a missing CRF is said before `out` is touched
    regions = open_model_regions(model.config, model.file, labels=labels)
    if regions is not None:
        by_name(regions.reader, samples)
        tell_lines([regions.note] if regions.note else [], console)
    score = score_labels if labels else score_segmentation
    claim(out, overwrite, [model.path, Path(model.config.data.root)])
    scored = score(model, samples, console=console, regions=regions)
    records = {name: each.record for name, each in scored.items()}
    keep(records, out, console)
    if connect().is_main_process:
        about = About(
            title=f"{model.path} scored on {model.config.data.eval_split}",
            introduction=FROM_TAGS,
            settings=parse_yaml(to_yaml(model.config), "configuration"),
        )
        read = partial(shown_scenes, model, samples, labels=labels, regions=regions)
        write_scored_report(out, scored, read, about, model.file.classes)
    return records


def shown_scenes(
    model: LoadedModel,
    samples: Sequence[MaskedImage],
    names: Sequence[str],
    *,
    labels: bool,
    regions: ModelRegions | None = None,
) -> Iterator[ShownScene]:
    """Label the images of these names again, to be shown, as they were for the scores."""
    of_name = {sample.name: sample for sample in samples}
    predictor = build_predictor(model.config, model.method)
    shown = [of_name[name] for name in names]
    cut = files_of(regions, shown)
    for item in full_images(
        shown,
        num_classes=model.file.classes.num_classes,
        reading=model.config.data.reading,
    ):
        given = None if cut is None else cut(item.name, item.image)
        if labels:
            maps = make_label_maps(
                model.method,
                item,
                long_side=model.config.eval.side,
                step=model.file.step,
                precision=predictor.precision,
                regions=given,
            ).label_map
            label_maps = [maps[kind].numpy().astype(np.uint8) for kind in LABEL_KINDS]
        else:
            label_maps = [predictor(item.image, given)]
        yield ShownScene(item.name, item.image, item.mask, label_maps)


def masked_images(model: LoadedModel, console: Console) -> list[MaskedImage]:
    """The images of the configured evaluation split; errors as in `open_for_model`."""
    data = model.config.data
    split = eval_split(data)
    trained = from_yaml(model.file.config, str(model.path), model.config.PLUGINS).data
    dataset = open_for_model(data, trained, model.file.classes, console)
    return dataset.read_masked_split(split)


def eval_split(data: DataConfig) -> str:
    """The evaluation split; InputError if the configuration names none."""
    if data.eval_split is None:
        raise InputError("data.eval_split is null; add data.eval_split=NAME of a split with masks")
    return data.eval_split


def claim(out: Path, overwrite: bool, inputs: Sequence[Path]) -> None:
    """Let the first process make `out` an empty folder of ours; errors as in `claim_folder`."""
    if connect().is_main_process:
        claim_folder(out, KIND, overwrite=overwrite, inputs=inputs)


def keep(records: Mapping[str, Record], out: Path, console: Console) -> None:
    """Write records, in the first process, and show them."""
    if connect().is_main_process:
        write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
        write_json(out / RECORD_NAME, records)
    console.print(scores_table(records))


def score_segmentation(
    model: LoadedModel,
    samples: Sequence[MaskedImage],
    *,
    console: Console,
    group_of: GroupOf | None = None,
    regions: ModelRegions | None = None,
) -> dict[str, Scored]:
    """Score predictions, which need no tags."""
    predictor = build_predictor(model.config, model.method.to(default_device()))
    result = evaluate_segmentation(
        predictor,
        _shown(samples, model, console),
        num_classes=model.file.classes.num_classes,
        group_of=group_of,
        boundary=True,
        regions=files_of(regions, samples),
    )
    protocol = {
        "long_side": predictor.long_side,
        "tile": predictor.tiling.tile if predictor.tiling else None,
        "overlap": predictor.tiling.overlap if predictor.tiling else None,
        "scales": list(predictor.scales),
        "scale_merge": predictor.scale_merge,
        "flip": predictor.flip,
        "crf": predictor.crf is not None,
        "precision": predictor.precision,
        "tags_used": False,
    }
    protocol |= regions_in(model.config, regions)
    return {"Segmentation": _scored(model, result, "segmentation", protocol)}


def score_labels(
    model: LoadedModel,
    samples: Sequence[MaskedImage],
    *,
    console: Console,
    group_of: GroupOf | None = None,
    regions: ModelRegions | None = None,
) -> dict[str, Scored]:
    """Score CAMs, refined CAMs and pseudo-labels, which are made from the images' tags."""
    method = model.method.to(default_device())
    classes = model.file.classes.num_classes
    precision = eval_precision(model.config, method.device)
    results = evaluate_labels(
        method,
        _shown(samples, model, console),
        tallies={kind: Tally(classes, group_of, boundary=True) for kind in LABEL_KINDS},
        long_side=model.config.eval.side,
        step=model.file.step,
        precision=precision,
        regions=files_of(regions, samples),
    )
    protocol = {
        "long_side": model.config.eval.side,
        "tile": None,
        "overlap": None,
        "scales": [1.0],
        "flip": False,
        "crf": False,
        "precision": precision,
        "tags_used": True,
    }
    protocol |= regions_in(model.config, regions)
    names = {"cam": "CAM", "refined_cam": "Refined CAM", "pseudo_label": "Pseudo-label"}
    return {names[k]: _scored(model, result, k, protocol) for k, result in results.items()}


def files_of(regions: ModelRegions | None, samples: Sequence[MaskedImage]) -> RegionsOf | None:
    """What gives the regions of these images, where they are in files; errors as in `by_name`."""
    return None if regions is None else by_name(regions.reader, samples)


def _scored(
    model: LoadedModel, result: EvaluationResult, kind: str, protocol: dict[str, Any]
) -> Scored:
    record = evaluation_record(
        result,
        class_names=model.file.classes.names_with_background,
        kind=kind,
        split=str(model.config.data.eval_split),
        protocol=protocol,
        checkpoint=f"{model.path} after {model.file.step} steps",
        seed=model.config.train.seed,
        versions=versions(),
    )
    return Scored(result, {**record, MODEL_SHA256: sha256_of(model.path)})


def _shown(
    samples: Sequence[MaskedImage], model: LoadedModel, console: Console
) -> Iterator[EvalItem]:
    """This process's part of the images in order, with a progress bar."""
    own = own_part(samples)
    items = full_images(
        own,
        num_classes=model.file.classes.num_classes,
        workers=model.config.data.workers,
        reading=model.config.data.reading,
    )
    return tracked(items, "evaluation", len(own), console)
