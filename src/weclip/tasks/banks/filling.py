"""`weclip train` of a method whose training fills a bank: no steps, but the same run folder."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from weclip.backbones.precision import FLOAT32
from weclip.build.method import build_method
from weclip.build.predictor import eval_precision
from weclip.config import Config
from weclip.config_file import to_yaml, with_whole_paths
from weclip.data.batch import TaggedImage
from weclip.data.masks.mask_files import read_mask
from weclip.inference.given_image import as_rgb
from weclip.labels.banks.bank_file import read_bank, save_bank
from weclip.labels.banks.feature_bank import FeatureBank, digest_of
from weclip.labels.banks.pseudo_regions import purified
from weclip.methods.retrieval import Retrieval
from weclip.system.console import warn
from weclip.system.distributed import connect, default_device
from weclip.system.errors import InputError
from weclip.system.files import claim_folder, is_output, sha256_of, write_json
from weclip.system.untrusted.documents import read_json
from weclip.tasks.banks.parts import MOST_ROWS, WorkParts
from weclip.tasks.banks.pseudo_masks import pseudo_masks, settings
from weclip.tasks.banks.seen import BANK_NAME, nearest_labels, seen_pixels
from weclip.tasks.load.backbones import frozen_backbones, with_pinned_backbones
from weclip.tasks.load.model import MODEL_NAME
from weclip.tasks.tag.auto_tags import AUTO_TAGS
from weclip.tasks.train.evaluation import make_evaluate
from weclip.tasks.train.inputs import Inputs, read_inputs
from weclip.tasks.train.report import report_training
from weclip.tasks.train.result import TrainResult, read_result
from weclip.tasks.train.resume import (
    CONFIG_NAME,
    KIND,
    digests,
    enter_folder,
    settings_before,
    with_fitting_numbers,
)
from weclip.training.model_file import ModelFile, save_model_file
from weclip.training.runlog import RunLog, progress_bar, tracked

PARTS, RECORD_NAME = "bank.parts", "bank.json"
DECIDE = ("erosion", "least_area", "drop_share", "background_drop_share")
MADE = "patch tokens of regions, by area"
"""How features are made; what `FeatureBank.made` says."""


def fill(
    config: Config, out: Path, *, console: Console, resume: bool, overwrite: bool
) -> TrainResult:
    """Fill the bank of retrieval and write model, scores and report; as `train`, in a held folder.

    Raises:
        InputError: Anything given cannot be used, or there are several processes.
    """
    require_fillable(config)
    goes_on = resume and is_output(out, KIND)
    if not (goes_on or overwrite):
        claim_folder(out, KIND)  # only to refuse it before anything is read
    config = with_pinned_backbones(config, console, out / CONFIG_NAME if goes_on else None)
    inputs = read_inputs(config, console, out / AUTO_TAGS if goes_on else None)
    before = settings_before(None, out) if goes_on else {}
    config = with_fitting_numbers(config, inputs, before, keep_steps=True)
    method = build_method(config, inputs.backbones, inputs.classes).to(default_device())
    assert isinstance(method, Retrieval)  # it alone fills a bank
    precisions = {"train": FLOAT32, "eval": eval_precision(config, default_device())}
    enter_folder(config, out, None, inputs, precisions, resume=resume, overwrite=overwrite)
    bank = make_bank(config, inputs, method, out, console)
    method.bank.fill(bank.keys, bank.values)
    save(config, inputs, method, out)
    score(config, inputs, method, out, console)
    report_training(out, config, inputs, method, console, again=False)
    images = [image.path for image in inputs.images]
    return replace(read_result(out, config, images), steps=0)


def require_fillable(config: Config) -> None:
    """InputError for what a bank cannot be filled with."""
    if connect().num_processes > 1:
        raise InputError("method 'retrieval' fills its bank in one process; start only one")


def make_bank(
    config: Config, inputs: Inputs, method: Retrieval, out: Path, console: Console
) -> FeatureBank:
    """The bank in `out`, filled where it is not there yet, purified."""
    masks = pseudo_masks(config, inputs.classes, inputs.images, out, console)
    images = [image for image in inputs.images if image.name in masks]
    recipe, record = recipe_of(config, inputs, masks), out / RECORD_NAME
    if record.exists() and read_json(record, "record") == recipe:
        return read_bank(out / BANK_NAME, most_rows=MOST_ROWS, key="")
    work = WorkParts(out / PARTS, images, recipe)
    work.enter(joins=True)
    work.clean()
    make = partial(rows_of, config=config, inputs=inputs, method=method, masks=masks)
    left = sum(len(work.items_of(number)) for number in work.missing())
    for _ in tracked(work.make(make), "filling", left, console):
        pass
    bank = work.joined()
    keep = purified(
        bank.keys,
        bank.values,
        share=method.settings.drop_share,
        background=method.settings.background_drop_share,
    )
    tell(bank, keep, inputs, console)
    bank = bank.rows(keep)
    save_bank(out / BANK_NAME, bank)
    write_json(record, recipe)
    work.remove()
    return bank


def rows_of(
    image: TaggedImage,
    *,
    config: Config,
    inputs: Inputs,
    method: Retrieval,
    masks: Mapping[str, Path],
) -> FeatureBank:
    """What an image gives to the bank; none of its pixels that its mask leaves out."""
    pixels = as_rgb(image.path, reading=config.data.reading)
    classes, reading = inputs.classes.num_classes, config.data.reading
    ids = read_mask(masks[image.name], num_classes=classes, max_pixels=reading.max_pixels)
    if ids.shape != pixels.shape[:2]:
        raise InputError(
            f"{masks[image.name]}: mask is {ids.shape[1]} x {ids.shape[0]} but its image, "
            f"{image.path}, is {pixels.shape[1]} x {pixels.shape[0]} (width x height)"
        )
    seen = seen_pixels(pixels, config.eval.side)
    label_map = nearest_labels(ids, (seen.shape[0], seen.shape[1]))
    keys, values = method.rows_of(seen, label_map)
    return FeatureBank(
        keys,
        values,
        torch.zeros(len(keys), dtype=torch.int32),
        [image.name],
        [digest_of(pixels)],
        frozen_backbones(inputs.backbones),
        MADE,
    )


def recipe_of(config: Config, inputs: Inputs, masks: Mapping[str, Path]) -> dict[str, str]:
    """What decides the rows of the bank."""
    use = settings(config)
    listed = [(name, sha256_of(path)) for name, path in sorted(masks.items())]
    return {
        **digests(inputs),
        "masks": hashlib.sha256(json.dumps(listed).encode()).hexdigest(),
        "method.retrieval": " ".join(str(getattr(use, name)) for name in DECIDE),
        "eval.long_side": str(config.eval.side),
    }


def tell(bank: FeatureBank, keep: Tensor, inputs: Inputs, console: Console) -> None:
    """Say what is in the bank, and warn of classes that are not.

    Raises:
        InputError: No region is left.
    """
    if not len(bank):
        raise InputError(
            "no region of a mask is left for the bank; lower method.retrieval.erosion or "
            "method.retrieval.least_area, or give better masks"
        )
    there = set(bank.values.tolist())
    console.print(
        f"bank: {int(keep.sum())} regions of {len(bank.names)} images; {int((~keep).sum())} far "
        "from their class's mean are left out",
        soft_wrap=True,
        highlight=False,
    )
    tagged = {0, *(tag + 1 for image in inputs.images for tag in image.tags)}
    names = [inputs.classes.names_with_background[i] for i in sorted(tagged - there)]
    if names:
        warn(
            console,
            f"no region of {', '.join(names)} is left for the bank; it will not be found: lower "
            "method.retrieval.erosion, or give better masks",
        )


def save(config: Config, inputs: Inputs, method: Retrieval, out: Path) -> None:
    """Write the model file."""
    trained = method.trained.state_dict()
    backbones = frozen_backbones(inputs.backbones)
    text = to_yaml(with_whole_paths(config))
    save_model_file(out / MODEL_NAME, ModelFile(trained, text, inputs.classes, backbones, 0))


def score(config: Config, inputs: Inputs, method: Retrieval, out: Path, console: Console) -> None:
    """Score the model where there are masks, and log it as of step 0."""
    with progress_bar(console) as progress:
        evaluate = make_evaluate(config, inputs, method, progress)
        scores = None if evaluate is None else evaluate(lambda: False)
    with RunLog(out, 0, evaluated_step=-1) as log:
        if scores is not None:
            log.scalars(0, {f"eval_{name}": value for name, value in scores.items()})
