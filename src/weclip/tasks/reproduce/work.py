"""What the stages do: one function each, which calls the task of the same name.

A stage that was interrupted goes on; what it returns is kept in its record.
"""

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from weclip.config import Config
from weclip.config_file import load_config
from weclip.system.errors import InputError
from weclip.system.files import sha256_of, write_atomically
from weclip.tasks import prepare as preparation
from weclip.tasks.datasets import open_configured
from weclip.tasks.evaluate.masks import evaluate_masks, masks_configuration
from weclip.tasks.evaluate.model import evaluate
from weclip.tasks.label.run import LabelOptions, label
from weclip.tasks.load.model import MODEL_NAME
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.predict import PredictOptions, predict, skipped_line
from weclip.tasks.reproduce.lacking import find_test_images
from weclip.tasks.reproduce.stages import ARCHIVE_NAME, SERVER_FOLDER, Request, Stage
from weclip.tasks.train.run import train

Result = dict[str, Any]
Work = Callable[[Request, Stage, Console], Result]


def config_of(request: Request, changes: Sequence[str]) -> Config:
    """The configuration of a training or labelling."""
    return load_config(request.table.preset, changes, method=request.table.method)


def prepare_stage(request: Request, stage: Stage, console: Console) -> Result:
    """Fetch what is not there; data that can be read whole are left alone."""
    if stage.source != request.table.data:
        preparation.prepare(stage.source, request.root, console=console)
        return {}
    try:
        counts = count_images(request)
        told = ", ".join(f"{count:,} images in {split}" for split, count in counts.items())
        console.print(f"there already: {told}", soft_wrap=True, markup=False, highlight=False)
        return {"images": counts}
    except InputError as error:
        console.print(f"to be fetched, since {error}", soft_wrap=True, markup=False)
    done = preparation.prepare(stage.source, request.root, console=console)
    if done.exit_code:
        raise InputError(
            f"--root {request.root}: `weclip check` finds errors in it, see above; mend them, and "
            "run the same command again"
        )
    return {"images": count_images(request)}


def count_images(request: Request) -> dict[str, int]:
    """Images of the splits that are read; errors as in `read_split` and `read_masked_split`."""
    config = config_of(request, request.settings)
    dataset = open_configured(config)
    scored = {row.split for row in request.table.rows} - {"test"}
    counts = {split: len(dataset.read_masked_split(split)) for split in sorted(scored)}
    if request.table.method is None:
        split = config.data.train_split
        counts[split] = len(dataset.read_split(split))
    return counts


def train_stage(request: Request, stage: Stage, console: Console) -> Result:
    """Train, or go on."""
    config = config_of(request, stage.changes)
    done = train(config, request.out / stage.name, console=console, resume=True)
    return {"steps": done.steps}


def evaluate_stage(request: Request, stage: Stage, console: Console) -> Result:
    """Score a trained model, or the labels that it learnt from."""
    records = evaluate(
        ModelAt(request.out / stage.source, overrides=stage.changes),
        request.out / stage.name,
        console=console,
        labels=stage.kind == "labels",
        overwrite=True,
    )
    return _scores(records)


def predict_stage(request: Request, stage: Stage, console: Console) -> Result:
    """Predict the test split, and pack the masks for its server."""
    out = request.out / stage.name
    images = [image.path for image in find_test_images(request)]
    model = ModelAt(request.out / stage.source, overrides=stage.changes)
    options = PredictOptions(resume=True)
    done = predict(model, [str(path) for path in images], out, options, console=console)
    if done.skipped:
        raise InputError(f"{skipped_line(done)}; the server takes all or nothing: mend them")
    pack([out / "masks" / f"{path.stem}.png" for path in images], out / ARCHIVE_NAME)
    return {"archive": f"{stage.name}/{ARCHIVE_NAME}", "images": {"test": done.count}}


def label_stage(request: Request, stage: Stage, console: Console) -> Result:
    """Make masks by a method without training, or go on."""
    config = config_of(request, stage.changes)
    options = LabelOptions(resume=True)
    return {"masks": label(config, request.out / stage.name, options, console=console)}


def masks_stage(request: Request, stage: Stage, console: Console) -> Result:
    """Score these masks."""
    config = masks_configuration(request.table.preset, None, stage.changes)
    masks = [f"maps={request.out / stage.source / 'masks'}"]
    out = request.out / stage.name
    return _scores(evaluate_masks(masks, config, out, console=console, overwrite=True))


def digest(request: Request, stage: Stage) -> str | None:
    """SHA-256 of what a stage reads of another, a model or masks; None where it reads none."""
    if not stage.source or stage.kind == "prepare":
        return None
    folder = request.out / stage.source
    masks = sorted((folder / "masks").rglob("*.png"))
    read = masks if stage.kind == "masks" else [folder / MODEL_NAME]
    found = hashlib.sha256()
    for path in read:
        content = sha256_of(path) if path.is_file() else "missing"
        found.update(f"{path.relative_to(folder)} {content}\n".encode())
    return found.hexdigest()


def pack(masks: Sequence[Path], archive: Path) -> None:
    """Write masks as VOC's server takes them, the same bytes each time."""

    def write(temporary: Path) -> None:
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as tar,
        ):
            for path in masks:
                entry = tarfile.TarInfo(f"{SERVER_FOLDER}/{path.name}")
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(entry, file)

    write_atomically(archive, write)


def _scores(records: Mapping[str, Mapping[str, Any]]) -> Result:
    return {"miou": {name: record["miou"] for name, record in records.items()}}


WORK: dict[str, Work] = {
    "prepare": prepare_stage,
    "train": train_stage,
    "evaluate": evaluate_stage,
    "labels": evaluate_stage,
    "predict": predict_stage,
    "label": label_stage,
    "masks": masks_stage,
}
"""What does a stage, by its kind."""
