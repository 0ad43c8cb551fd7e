"""`weclip evaluate --masks`: score a folder of predicted masks of any origin, without a model."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.commands.check import UNUSED
from weclip.commands.datasets import configuration, open_configured
from weclip.commands.evaluate import Record, claim, eval_split, keep
from weclip.commands.training_inputs import warn
from weclip.config import Config
from weclip.data.batch import MaskedImage, MaskLabels
from weclip.data.files import Listings, existing_folder
from weclip.data.mask_labels import mask_labels
from weclip.data.masks import read_mask
from weclip.distributed import own_part
from weclip.errors import InputError
from weclip.inference.evaluate import score_label_maps
from weclip.inference.record import evaluation_record
from weclip.inference.stream import read_ahead
from weclip.provenance import versions
from weclip.training.runlog import progress_bar

NAME = "Masks"
SHOWN_MISSING = 3

Ids = NDArray[np.uint8]
Pair = tuple[MaskedImage, Path]
"""An image with its true mask, and the file of its predicted mask."""


def evaluate_masks(
    masks: Path,
    config: Config,
    out: Path,
    *,
    console: Console,
    allow_missing: bool = False,
    overwrite: bool = False,
) -> dict[str, Record]:
    """Score predicted masks against those of `data.eval_split`, write the record, show the table.

    Pixels that a predicted mask marks 255 are unsure; wrong wherever the truth has a class.

    Args:
        masks: Folder of PNGs under the images' names, sub-folders included: class ids, or RGB in
            the class colours. `mask_labels` of a data set are for its own masks only.
        config: Resolved configuration; only `data`, `faithful` and `eval.crf` are read.
        out: Folder for `evaluation.json`.
        console: Where the table is shown.
        allow_missing: Score the masks that are there instead of ending where some are missing.
        overwrite: Replace an earlier output in `out`.

    Returns:
        The record, by its name.

    Raises:
        InputError: Masks are missing, unreadable, of another size than the truth or with unknown
            ids or colours; or the data set cannot be used.
    """
    if config.eval.crf:
        raise InputError("eval.crf=true refines a model's predictions; with --masks leave it out")
    split = eval_split(config.data)
    dataset = open_configured(config, console)
    classes = dataset.classes
    pairs, missing = find_masks(masks, dataset.read_masked_split(split))
    if missing:
        report_missing(masks, missing, len(pairs), console, allowed=allow_missing)
    claim(out, overwrite, [masks, Path(config.data.root)])
    result = score_label_maps(
        read_pairs(
            pairs,
            mask_labels(classes),
            console,
            num_classes=classes.num_classes,
            max_pixels=config.data.max_pixels,
        ),
        num_classes=classes.num_classes,
        boundary=True,
        unsure=True,
    )
    record = evaluation_record(
        result,
        class_names=classes.names_with_background,
        kind="masks",
        split=split,
        protocol={"unsure": "wrong", "missing": {"count": len(missing), "names": missing}},
        checkpoint=str(masks),
        seed=None,
        versions=versions(),
    )
    keep({NAME: record}, out, console)
    return {NAME: record}


def masks_configuration(config: str | None, data: Path | None, changes: Sequence[str]) -> Config:
    """As `configuration`, without the weights of a CLIP, which masks that are there do not need."""
    return configuration(config, data, changes, unused=UNUSED)


def find_masks(masks: Path, samples: Sequence[MaskedImage]) -> tuple[list[Pair], list[str]]:
    """Find the predicted mask of each image.

    Returns:
        Images with their files, and the names of those without.

    Raises:
        InputError: There is no such folder.
    """
    listings = Listings(existing_folder(masks, "folder of predicted masks (--masks)"))
    pairs, missing = [], []
    for sample in samples:
        file = listings.find(PurePosixPath(f"{sample.name}.png"))
        if listings.exists(file):
            pairs.append((sample, masks / file))
        else:
            missing.append(sample.name)
    return pairs, missing


def report_missing(
    masks: Path, missing: Sequence[str], found: int, console: Console, *, allowed: bool
) -> None:
    """Name and count missing masks; InputError unless that is allowed and others are there."""
    named = ", ".join(f"{name}.png" for name in missing[:SHOWN_MISSING])
    more = f" and {len(missing) - SHOWN_MISSING} more" if len(missing) > SHOWN_MISSING else ""
    text = f"{masks}: {len(missing)} of {len(missing) + found} masks are missing: {named}{more}"
    if not found:
        raise InputError(f"{text}; a mask has its image's name, in the same sub-folder, as .png")
    if not allowed:
        raise InputError(f"{text}; add them, or score those that are there with --allow-missing")
    warn(console, text)


def read_pairs(
    pairs: Sequence[Pair],
    labels: MaskLabels,
    console: Console,
    *,
    num_classes: int,
    max_pixels: int,
) -> Iterator[tuple[str, Ids, Ids]]:
    """Name, predicted and true mask of this process's part of the images, with a progress bar.

    Raises:
        InputError: One cannot be read, or the two differ in size.
    """

    def read(pair: Pair) -> Ids:
        sample, path = pair
        limits = {"num_classes": num_classes, "max_pixels": max_pixels}
        truth = read_mask(sample.mask, labels=sample.labels, **limits)
        predicted = read_mask(path, labels=labels, **limits)
        if predicted.shape != truth.shape:
            raise InputError(
                f"{path}: predicted mask is {_size(predicted)} but the true one, {sample.mask}, is "
                f"{_size(truth)} (width x height); save predictions at their image's own size"
            )
        return np.stack((predicted, truth))  # (2, H, W)

    own = own_part(pairs)
    with progress_bar(console) as progress:
        task = progress.add_task("evaluation", total=len(own), status="")
        for (sample, _), (predicted, truth) in read_ahead(own, read):
            yield sample.name, predicted, truth
            progress.advance(task)


def _size(ids: Ids) -> str:
    return f"{ids.shape[1]} x {ids.shape[0]}"
