"""Where an interrupted run goes on, and whether it still is the same run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from weclip.build.method import crop_multiple
from weclip.config import Config
from weclip.config_file import flatten, to_yaml
from weclip.data.images.listing import AUTO
from weclip.system.console import warn
from weclip.system.distributed import from_first
from weclip.system.errors import InputError
from weclip.system.files import (
    RUN_MARKER,
    claim_folder,
    is_output,
    remove_temporaries,
    write_json,
    write_text,
)
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import as_parsed, read_json
from weclip.system.untrusted.files import read_text
from weclip.tasks.load.backbones import CALLED
from weclip.tasks.load.cutter import cuts_images
from weclip.tasks.regions.of_model import record_of_source
from weclip.tasks.tag.auto_tags import AUTO_TAGS
from weclip.tasks.train.fit_to_data import choose, facts_of, with_numbers
from weclip.tasks.train.inputs import Inputs, read_paths
from weclip.training.checkpoint import Checkpoint, keep_checkpoints, latest_checkpoint
from weclip.training.loop import Trainer
from weclip.training.run_folder import CHECKPOINTS

FREE_ON_RESUME = (
    "data.workers data.max_unreadable data.max_pixels data.decoded_cache train.log_every "
    "train.image_every train.save_every train.keep_last train.tracker clip.weights clip.sha256 "
    "dino.weights dino.sha256 mit.weights mit.sha256 regions.sam2.weights "
    "tags.memory"
).split()
"""Keys that may change between the parts of a run, since no result depends on them; nor on
those of the section `label`, which training does not read."""


KIND = "training"
CONFIG_NAME = "config.yaml"


def with_fitting_numbers(
    config: Config, inputs: Inputs, before: dict[str, object], *, keep_steps: bool
) -> Config:
    """The configuration with a number for each `auto`, which the first process decides for all.

    Args:
        config: What was asked for.
        inputs: What the run reads.
        before: `settings_before` of the run that goes on, whose numbers stay, whatever images have
            come since; empty for a new run.
        keep_steps: Whether its number of steps stays even if `train.epochs` gives another now.
    """
    known = dict(before)
    if config.train.epochs is not None and not keep_steps:
        known.pop("train.steps", None)  # `changes` names a difference
    patch = crop_multiple(config, inputs.backbones)
    chosen = from_first(
        lambda: choose(config, facts_of(inputs.images, patch, config.data.max_side), known)
    )
    return with_numbers(config, chosen)


def settings_before(checkpoint: Checkpoint | None, out: Path) -> dict[str, object]:
    """What the run in a folder was started with, by dotted key; empty if there is none."""
    with suppress(InputError):
        if checkpoint is not None:
            return flatten(checkpoint.config)
        return flatten(read_text(out / CONFIG_NAME, "configuration"))
    return {}


def find_checkpoint(out: Path, console: Console) -> Checkpoint | None:
    """The newest whole checkpoint of the run in `out`, in every process; None to start the run."""
    checkpoint, damaged = from_first(
        lambda: latest_checkpoint(out / CHECKPOINTS) if is_output(out, KIND) else (None, [])
    )
    for message in damaged:
        warn(console, f"{message}; an earlier checkpoint is used")
    if checkpoint is None:
        console.print(f"no checkpoint in {out}; starting", soft_wrap=True, markup=False)
    return checkpoint


def enter_folder(
    config: Config,
    out: Path,
    checkpoint: Checkpoint | None,
    inputs: Inputs,
    precisions: Mapping[str, str],
    *,
    resume: bool,
    overwrite: bool,
) -> None:
    """Make the run folder, or clear away what an interrupted run left behind the checkpoint."""
    made_with = versions()
    if resume and is_output(out, KIND):
        made_with = read_json(out / RUN_MARKER, "record").get("versions", made_with)
    else:
        claim_folder(out, KIND, overwrite=overwrite, inputs=read_paths(config))
    counted = {"images": len(inputs.images), "scored_images": len(inputs.masked)}
    record = {"kind": KIND, "versions": made_with, "precision": dict(precisions), **counted}
    record["cuda_graphs"] = config.train.cuda_graphs
    if inputs.corrected is not None:
        record["corrected"] = inputs.corrected.record
    if inputs.tags_memory is not None:
        record["tags_memory"] = inputs.tags_memory.record
    if (regions := regions_of_run(config, inputs)) is not None:
        record["regions"] = as_parsed(regions)
    write_json(out / RUN_MARKER, record)
    remove_temporaries(out)
    keep_checkpoints(
        out / CHECKPOINTS,
        until=checkpoint.step if checkpoint else 0,
        count=config.train.keep_last,
    )
    write_text(out / CONFIG_NAME, to_yaml(config))
    if inputs.auto_tags is not None:
        write_text(out / AUTO_TAGS, inputs.auto_tags)


def regions_of_run(config: Config, inputs: Inputs) -> Mapping[str, Any] | None:
    """What a run's record says of the regions that it reads; None where it reads none."""
    if inputs.regions is not None:
        return inputs.regions.record
    if inputs.tags_memory is not None:
        return inputs.tags_memory.regions.record
    if not (cuts_images(config) or "regions" in config.reads()):
        return None
    return record_of_source(config, inputs.backbones.regions)


def resume_from(checkpoint: Checkpoint, trainer: Trainer, out: Path) -> None:
    """Restore a run; InputError if the checkpoint has other tensors than this model."""
    try:
        trainer.resume(checkpoint)
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError):
        raise InputError(
            f"--resume {out}: its checkpoint of step {checkpoint.step} does not fit the model of "
            "this configuration; start anew in another --out"
        ) from None


def digests(inputs: Inputs) -> dict[str, str]:
    """SHA-256 of what a run learns from: the training list with its tags, classes, backbones."""
    images = [(image.name, image.tags) for image in inputs.images]
    backbones, mit = list(inputs.backbones.items()), inputs.backbones.mit
    corrected, memory, regions = inputs.corrected, inputs.tags_memory, inputs.regions
    cutter = inputs.backbones.regions
    return {
        "images and tags": _digest(images),
        "classes": _digest(asdict(inputs.classes)),
        **{f"{CALLED[name]} weights": each.sha256 for name, each in backbones},
        **{f"{CALLED[name]}'s computations": each.computes for name, each in backbones},
        **({} if mit is None else {"MiT weights": mit.sha256}),
        **({} if regions is None else {"regions": _digest(as_parsed(regions.record))}),
        **({} if cutter is None else {f"weights of {cutter.name}": cutter.sha256}),
        **({} if corrected is None else {"corrected masks": corrected.seen.digest}),
        **({} if inputs.descriptions is None else {"descriptions": inputs.descriptions}),
        **({} if memory is None else {"rows of tags.memory": memory.sha256}),
    }


def changes(checkpoint: Checkpoint, config_yaml: str, inputs: Mapping[str, str]) -> list[str]:
    """What differs between a run and what it would go on with; a mixture of both would result."""
    try:
        before, now = flatten(checkpoint.config), flatten(config_yaml)
    except InputError:
        return ["the checkpoint's configuration cannot be read"]
    changed = [
        f"{key} was {before.get(key)}, now {now.get(key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
        and key not in FREE_ON_RESUME
        and not key.startswith("label.")
    ]
    if now.get("data.tags_file") != AUTO:  # nothing else depends on how CLIP makes tags
        changed = [text for text in changed if not text.startswith("tags.")]
    others = [what for what in inputs if inputs[what] != checkpoint.inputs.get(what)]
    return changed + [f"the {what} are others" for what in others]


def require_same(checkpoint: Checkpoint, changed: Sequence[str], out: Path) -> None:
    """InputError if anything has changed that results depend on."""
    if changed:
        raise InputError(
            f"--resume {out}: not the same run as before step {checkpoint.step} "
            f"({'; '.join(changed)}); give the same, start anew in another --out, or add "
            "--accept-changes"
        )


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
