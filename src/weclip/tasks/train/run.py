"""`weclip train`: from a configuration to a run folder with a trained model."""

import os
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from rich.console import Console
from torch import Tensor

from weclip import parts
from weclip.backbones.precision import chosen_precision, store_frozen
from weclip.build.method import build_method, replay_steps
from weclip.build.predictor import eval_precision
from weclip.config import Config, whole
from weclip.config_file import to_yaml, with_whole_paths
from weclip.data.images.listing import AUTO
from weclip.inference.report.step_picture import draw_step
from weclip.labels.pixel_refine import compile_for
from weclip.methods.method import Method
from weclip.system.console import QUIET, warn
from weclip.system.distributed import connect, default_device, from_first, make_accelerator
from weclip.system.errors import InputError
from weclip.system.files import claim_folder, is_output
from weclip.system.locks import working_in
from weclip.tasks.agreement import agree_on_inputs, agree_on_settings, seen_in
from weclip.tasks.load.backbones import frozen_backbones, with_pinned_backbones
from weclip.tasks.load.model import MODEL_NAME
from weclip.tasks.tag.auto_tags import AUTO_TAGS, with_tags_precision
from weclip.tasks.train.evaluation import make_evaluate
from weclip.tasks.train.inputs import Inputs, make_loader, read_inputs
from weclip.tasks.train.report import report_training
from weclip.tasks.train.result import TrainResult, read_result
from weclip.tasks.train.resume import (
    CONFIG_NAME,
    KIND,
    changes,
    digests,
    enter_folder,
    find_checkpoint,
    require_same,
    resume_from,
    settings_before,
    with_fitting_numbers,
)
from weclip.tasks.train.shown import StepView, show_start
from weclip.tasks.train.trackers import open_tracker, require_tracker
from weclip.training.loop import Trainer
from weclip.training.model_file import ModelFile, save_model_file
from weclip.training.plan import FitSettings, Hooks
from weclip.training.run_folder import RunFolder
from weclip.training.runlog import LOG_NAME, RunLog
from weclip.training.schedule import build_optimizer, learning_rate


def train(
    config: Config,
    out: Path,
    *,
    console: Console = QUIET,
    resume: bool = False,
    overwrite: bool = False,
    accept_changes: bool = False,
) -> TrainResult:
    """Train a model from images and tags.

    Args:
        config: Resolved configuration.
        out: Run folder.
        console: Where progress is shown; by default nowhere.
        resume: Continue the run in `out`; start it where there is none yet.
        overwrite: Replace the run in `out`.
        accept_changes: Resume though results depend on what has changed since.

    Returns:
        The model file and what is known of it.

    Raises:
        InputError: Anything given cannot be used; nothing was written. Or a run is in `out`.
        RunError: The run ended early (`Trainer.fit`).
    """
    with working_in(out, KIND, first=connect().is_main_process):
        if parts.fills(config.KNOWN[parts.METHOD.name, config.method.name]):
            from weclip.tasks.banks.filling import fill  # it reads what lies beside this

            return fill(config, out, console=console, resume=resume, overwrite=overwrite)
        return _train(
            config,
            out,
            console=console,
            resume=resume,
            overwrite=overwrite,
            accept_changes=accept_changes,
        )


def _train(
    config: Config,
    out: Path,
    *,
    console: Console,
    resume: bool,
    overwrite: bool,
    accept_changes: bool,
) -> TrainResult:
    """As `train`, in a folder that is held."""
    place = connect()
    how = {"resume": resume, "overwrite": overwrite, "accept_changes": accept_changes}
    agree_on_settings(config, **how)
    require_tracker(config.train.tracker)
    goes_on = resume and from_first(lambda: is_output(out, KIND))
    new = not (goes_on or overwrite)
    if place.is_main_process and new:
        claim_folder(out, KIND)  # only to refuse it before anything is read
    config = with_pinned_backbones(config, console, out / CONFIG_NAME if goes_on else None)
    inputs = read_inputs(config, console, out / AUTO_TAGS if goes_on else None)
    digest, precisions = digests(inputs), used_precisions(config)
    seen = chain(seen_in(inputs.images), seen_in(inputs.masked))
    agree_on_inputs(seen, **digest, precision=precisions)
    checkpoint = find_checkpoint(out, console) if resume else None
    before = settings_before(checkpoint, out) if goes_on else {}
    config = with_fitting_numbers(config, inputs, before, keep_steps=accept_changes)
    if checkpoint and not accept_changes:
        require_same(checkpoint, changes(checkpoint, to_yaml(config), digest), out)
    seed_everything(config)
    method = build_method(config, inputs.backbones, inputs.classes)
    tracker = config.train.tracker
    accelerator = make_accelerator(precisions["train"], tracker=tracker, out=out)
    if precisions["train"] == precisions["eval"]:  # else scores need the weights as they are
        store_frozen(method, precisions["train"])
    loader = make_loader(config, inputs)
    batches = loader.batches(
        start_step=checkpoint.step if checkpoint else 0,
        process_index=accelerator.process_index,
        process_count=accelerator.num_processes,
        pinned=accelerator.device.type == "cuda",
        report=lambda message: warn(console, f"skipped: {message}"),
    )
    cpu = accelerator.device.type == "cpu"
    view = StepView(console, whole(config.train.steps), on_cpu=cpu)
    replay_steps(config, method, accelerator.device, view.warn)
    show_start(config, inputs, method, accelerator, precisions, console)
    trainer = make_trainer(config, inputs, method, accelerator, out, digest, view)
    if checkpoint:
        resume_from(checkpoint, trainer, out)
    if accelerator.is_main_process:
        how = {"resume": resume, "overwrite": overwrite}
        enter_folder(config, out, checkpoint, inputs, precisions, **how)
    accelerator.wait_for_everyone()
    compiled = compile_for(accelerator.device)
    if compiled > 1:
        console.print(f"Compiled the pixel refinement in {compiled:.0f} s.")
    log = RunLog(
        out,
        trainer.step,
        evaluated_step=trainer.evaluated_step,
        writes=accelerator.is_main_process,
        board=open_tracker(config, accelerator, out, first_step=trainer.step, warn=view.warn),
    )
    if log.damaged:
        warn(console, f"{out / LOG_NAME}: {log.damaged} damaged lines are left out")
    with view, log:
        trainer.fit(batches, log, view)
    if loader.unreadable:
        warn(console, f"{len(loader.unreadable)} training images could not be read")
    method.trained = accelerator.unwrap_model(method.trained)
    done = checkpoint is not None and checkpoint.step >= trainer.settings.steps
    report_training(out, config, inputs, method, console, again=done)
    accelerator.wait_for_everyone()
    return read_result(out, config, [image.path for image in inputs.images])


def seed_everything(config: Config) -> None:
    """Fix what new weights are drawn from, and whether algorithms may vary."""
    set_seed(config.train.seed)
    if config.train.deterministic:
        torch.use_deterministic_algorithms(True)
        os.putenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS varies without (its documentation)


def precision(choice: str) -> str:
    """In what training steps are computed here.

    Raises:
        InputError: As in `chosen_precision`; or fp16 without a GPU that `accelerate` scales losses
            on.
    """
    if choice == "fp16" and not default_device().startswith("cuda"):
        raise InputError("train.precision=fp16 needs a CUDA GPU; use auto, float32 or bf16")
    return chosen_precision(choice, "train.precision", default_device())


def used_precisions(config: Config) -> dict[str, str]:
    """In what is computed here: steps, scores on the way, and tags where CLIP makes them."""
    used = {
        "train": precision(config.train.precision),
        "eval": eval_precision(config, default_device()),
    }
    if config.data.tags_file == AUTO:
        used["tags"] = with_tags_precision(config).tags.precision
    return used


def make_trainer(
    config: Config,
    inputs: Inputs,
    method: Method,
    accelerator: Accelerator,
    out: Path,
    digest: Mapping[str, str],
    view: StepView,
) -> Trainer:
    """Put the parts of a run together."""
    optim, run = config.optim, config.train
    optimizer = build_optimizer(
        method.parameter_groups(),
        weight_decay=optim.weight_decay,
        betas=(optim.betas[0], optim.betas[1]),
        eps=optim.eps,
    )
    settings = FitSettings(
        steps=whole(run.steps),
        learning_rate=lambda step: learning_rate(
            step,
            peak=optim.learning_rate,
            steps=whole(run.steps),
            warmup_steps=whole(optim.warmup_steps),
            warmup_ratio=optim.warmup_ratio,
            power=optim.power,
        ),
        log_every=whole(run.log_every),
        image_every=whole(run.image_every),
        eval_every=whole(run.eval_every),
        save_every=whole(run.save_every),
        seed=run.seed,
        best_metric=run.best_metric,
    )

    def save_model(trained: Mapping[str, Tensor], step: int) -> None:
        backbones = frozen_backbones(inputs.backbones)
        file = ModelFile(
            dict(trained), to_yaml(with_whole_paths(config)), inputs.classes, backbones, step
        )
        save_model_file(out / MODEL_NAME, file)

    return Trainer(
        method,
        optimizer,
        accelerator=accelerator,
        settings=settings,
        folder=RunFolder(out, keep_last=run.keep_last, writes=accelerator.is_main_process),
        config=to_yaml(config),
        inputs=digest,
        hooks=Hooks(
            make_evaluate(config, inputs, method, view.progress),
            partial(draw_step, palette=inputs.classes.palette),
            save_model,
            (out / MODEL_NAME).is_file,
        ),
    )
