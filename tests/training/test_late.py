"""Losses that are read a step later, as on a GPU: nothing else of a run changes."""

from dataclasses import replace

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from tests.methods.tiny_weclip import make_batch
from tests.training.tiny_run import (
    Interruption,
    batches,
    fit,
    make_trainer,
    newest,
    same,
    state_of,
)

from weclip.system.console import QUIET
from weclip.system.errors import DivergedError, InputError, StoppedError
from weclip.tasks.train.shown import StepView
from weclip.training.replay import load_replay
from weclip.training.runlog import LOG_NAME, RunLog, read_log
from weclip.training.steps.launched import Launched, Sent, Underway, Wishes


def late_trainer(folder, *, late=1, **how):
    trainer = make_trainer(folder, **how)
    trainer.underway = Underway(late=late)
    trainer.settings = replace(trainer.settings, log_every=0)  # which would read at once
    return trainer


def break_at(trainer, broken_step, value):
    """One step alone has a loss that is not finite; its gradient may be what it likes."""
    honest = trainer.method.training_step

    def training_step(batch, step, total):
        output = honest(batch, step, total)
        if step != broken_step:
            return output
        return replace(output, terms=output.terms | {"affinity": torch.tensor(value)})

    trainer.method.training_step = training_step


@pytest.fixture
def read_when(monkeypatch):
    """Pairs of a step that was read and how many were launched."""
    pairs, honest = [], Launched.read
    launched = []
    monkeypatch.setattr(
        Underway, "add", lambda self, one: (launched.append(one), self._steps.append(one))
    )

    def read(self):
        pairs.append((self.step, len(launched)))
        return honest(self)

    monkeypatch.setattr(Launched, "read", read)
    return pairs


def test_a_step_is_read_when_the_next_is_launched_or_something_is_due(tmp_path, read_when):
    fit(late_trainer(tmp_path, steps=7, save_every=4), tmp_path)
    assert read_when == [(0, 2), (1, 3), (2, 4), (3, 4), (4, 6), (5, 7), (6, 7)]


def test_on_a_cpu_at_once(tmp_path, read_when):
    fit(make_trainer(tmp_path), tmp_path)
    assert read_when == [(step, step + 1) for step in range(6)]


def test_the_run_is_the_same(tmp_path):
    runs = [make_trainer(tmp_path / "0"), late_trainer(tmp_path / "1")]
    shown = []
    for index, trainer in enumerate(runs):
        shown.append([])
        with RunLog(tmp_path / str(index), 0) as log, StepView(QUIET, 6, on_cpu=True) as view:
            view.advance = lambda *seen, steps=shown[-1]: steps.append(seen)
            trainer.fit(batches(), log, view)
    assert same(state_of(runs[0]), state_of(runs[1]))
    assert shown[0] == shown[1]
    last = [read_log(tmp_path / name / LOG_NAME)[-1]["loss"] for name in "01"]
    assert last[0] == last[1]


@pytest.mark.parametrize("late", [0, 1, 3])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_that_breaks_is_named_and_kept(tmp_path, late, value):
    """The steps after it were launched, and changed nothing."""
    trainer = late_trainer(tmp_path / "broken", late=late, steps=20, save_every=3)
    break_at(trainer, 4, value)
    with pytest.raises(DivergedError, match=f"step 4: the affinity loss is {value}; .*_rate"):
        fit(trainer, tmp_path / "broken")
    assert newest(tmp_path / "broken").step == 3
    kept = load_replay(tmp_path / "broken" / "replay.ckpt")

    whole = make_trainer(tmp_path / "whole", steps=20, save_every=100)
    with pytest.raises(Interruption):
        fit(whole, tmp_path / "whole", stop_at=4)
    assert (kept.step, kept.names) == (4, ["0", "1", "2"])
    assert same(kept.trained, state_of(whole))
    assert same(state_of(trainer), state_of(whole))


@pytest.mark.parametrize("every", ["save_every", "eval_every", "log_every", "image_every"])
def test_what_is_due_is_done_after_the_losses_are_read(tmp_path, every):
    done = []
    trainer = late_trainer(tmp_path, save_every=0, evaluate=lambda stopped: done.append(1))
    trainer.settings = replace(trainer.settings, **{every: 5})
    object.__setattr__(trainer.hooks, "draw", lambda batch, output: done.append(1))
    object.__setattr__(trainer.hooks, "save_model", lambda trained, step: done.append(1))
    break_at(trainer, 4, float("nan"))
    with pytest.raises(DivergedError, match="step 4"):
        fit(trainer, tmp_path)
    assert not done
    assert not list(tmp_path.rglob("step-*"))
    assert not read_log(tmp_path / LOG_NAME)


def test_data_that_end_after_a_broken_step(tmp_path):
    trainer = late_trainer(tmp_path)
    break_at(trainer, 0, float("nan"))

    def one_batch():
        yield make_batch()
        raise InputError("gone")

    with (
        pytest.raises(DivergedError, match="step 0"),
        RunLog(tmp_path, 0) as log,
        StepView(QUIET, 6, on_cpu=True) as view,
    ):
        trainer.fit(one_batch(), log, view)
    assert newest(tmp_path) is None


def test_a_stop_is_done_after_the_next_step(tmp_path):
    trainer = late_trainer(tmp_path, save_every=100)
    honest = trainer.method.training_step

    def training_step(batch, step, total):
        if step == 1:
            trainer.stop.name = "SIGTERM"
        return honest(batch, step, total)

    trainer.method.training_step = training_step
    with pytest.raises(StoppedError, match=r"SIGTERM came; saved after step 3"):
        fit(trainer, tmp_path)
    assert newest(tmp_path).step == 3
    rest = late_trainer(tmp_path, save_every=100)
    rest.resume(newest(tmp_path))
    fit(rest, tmp_path)
    whole = make_trainer(tmp_path / "whole")
    fit(whole, tmp_path / "whole")
    assert same(state_of(rest), state_of(whole))


@pytest.mark.parametrize("early", [True, False])
def test_all_processes_stop_after_the_same_step(early):
    """Though one may have read the losses sooner, because its clock told it to draw."""
    underway = Underway(late=1)
    ended = []
    for step in range(5):
        wishes = Wishes(stop=step == 2)
        numbers = torch.stack([torch.ones(()), *wishes.on(torch.device("cpu"))])
        underway.add(Launched(step, (), ("loss",), Sent(numbers)))
        list(underway.read(but=0 if early else 1))
        if step + 1 >= underway.stop_after:
            ended.append(step + 1)
    assert ended[0] == 4


def test_a_young_run_has_something_to_see_at_the_same_step_everywhere(tmp_path, monkeypatch):
    monkeypatch.setattr("weclip.training.loop.FIRST_LOOK", -1.0)
    trainer = late_trainer(tmp_path, save_every=0)
    with pytest.raises(Interruption):
        fit(trainer, tmp_path, stop_at=3)
    assert newest(tmp_path).step == 2


def test_the_loss_scaling_of_fp16_skips_broken_steps(tmp_path):
    trainer = late_trainer(tmp_path, late=100)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    trainer.accelerator.scaler = scaler
    trainer.optimizer = AcceleratedOptimizer(trainer.optimizer.optimizer, scaler=scaler)
    trainer.stepper.optimizer = trainer.optimizer
    break_at(trainer, 2, float("inf"))
    states = []
    for step in range(4):
        trainer.step = step
        trainer.train_step(make_batch(seed=step))
        states.append(state_of(trainer))
    assert not same(states[0], states[1])
    assert same(states[1], states[2])
    assert same(states[1], states[3])
