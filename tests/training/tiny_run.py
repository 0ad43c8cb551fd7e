"""A training run of a random method on random batches, in milliseconds."""

from itertools import count

import numpy as np
import torch
from tests.methods.tiny_weclip import make_batch, tiny_weclip

from weclip.system.console import QUIET
from weclip.system.distributed import make_accelerator
from weclip.system.files import RUN_MARKER, write_json
from weclip.tasks.train.shown import StepView
from weclip.training.checkpoint import latest_checkpoint
from weclip.training.loop import Trainer
from weclip.training.plan import FitSettings, Hooks
from weclip.training.run_folder import RunFolder
from weclip.training.runlog import RunLog
from weclip.training.schedule import build_optimizer


class Interruption(Exception):
    """Stands for a kill."""


def rate(step):
    return 1e-3 / (1 + step)


def make_trainer(
    folder,
    *,
    steps=6,
    save_every=3,
    eval_every=0,
    evaluate=None,
    save_model=None,
    has_model=True,
    method=None,
    keep_last=2,
    seed=0,
):
    """A trainer of a fresh method (the same weights every time)."""
    method = method or tiny_weclip()
    write_json(folder / RUN_MARKER, {})
    optimizer = build_optimizer(
        method.parameter_groups(), weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8
    )
    return Trainer(
        method,
        optimizer,
        accelerator=make_accelerator("float32"),
        settings=FitSettings(
            steps=steps,
            learning_rate=rate,
            log_every=1,
            image_every=100,
            eval_every=eval_every,
            save_every=save_every,
            seed=seed,
            best_metric="miou",
        ),
        folder=RunFolder(folder, keep_last=keep_last),
        config="train: {}",
        inputs={"images": "0"},
        hooks=Hooks(
            evaluate,
            lambda batch, output: np.zeros((4, 4, 3), np.uint8),
            save_model or (lambda trained, step: None),
            lambda: has_model,
        ),
    )


def batches(start=0, stop_at=None):
    """Endless batches, a function of the step; an `Interruption` instead of batch `stop_at`."""
    for step in count(start):
        if step == stop_at:
            raise Interruption
        yield make_batch(seed=step)


def fit(trainer, folder, stop_at=None):
    """Run the trainer from its current step, with a log."""
    with (
        RunLog(folder, trainer.step, evaluated_step=trainer.evaluated_step) as log,
        StepView(QUIET, trainer.settings.steps, on_cpu=True) as view,
    ):
        trainer.fit(batches(trainer.step, stop_at), log, view)


def state_of(trainer):
    """Copies of the trained tensors."""
    return {k: v.clone() for k, v in trainer.method.trained.state_dict().items()}


def same(first, second):
    """Whether two state dicts are equal bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def newest(folder):
    return latest_checkpoint(folder / "checkpoints")[0]
