import signal
from dataclasses import replace

import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_weclip
from tests.training.tiny_run import (
    Interruption,
    fit,
    make_trainer,
    newest,
    rate,
    same,
    state_of,
)

from weclip.inference.predictor import inference_mode
from weclip.system.console import QUIET
from weclip.system.distributed import make_accelerator
from weclip.system.errors import DivergedError, RunError, StoppedError
from weclip.system.processes import STOP_SIGNALS
from weclip.tasks.train.shown import StepView
from weclip.training.checkpoint import load_checkpoint
from weclip.training.replay import load_replay
from weclip.training.runlog import LOG_NAME, RunLog, read_log
from weclip.training.signals import StopRequests


def log_without_speed(folder):
    rows = read_log(folder / LOG_NAME)
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


@pytest.mark.parametrize("stop_at", [3, 5])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, stop_at):
    whole = make_trainer(tmp_path / "whole")
    fit(whole, tmp_path / "whole")

    broken = make_trainer(tmp_path / "parts")
    with pytest.raises(Interruption):
        fit(broken, tmp_path / "parts", stop_at=stop_at)
    torch.manual_seed(99)  # whatever another process has drawn
    rest = make_trainer(tmp_path / "parts")
    rest.resume(newest(tmp_path / "parts"))
    assert rest.step == 3
    fit(rest, tmp_path / "parts")

    assert same(state_of(whole), state_of(rest))
    assert log_without_speed(tmp_path / "whole") == log_without_speed(tmp_path / "parts")
    first, second = (newest(tmp_path / name) for name in ("whole", "parts"))
    assert same(first.trained, second.trained)
    for index, state in first.optimizer["state"].items():
        assert same(state, second.optimizer["state"][index])


def test_resuming_matters(tmp_path):
    """Dropout draws: with another seed the bits differ, so the test above can fail."""
    states = []
    for seed in (1, 2):
        trainer = make_trainer(tmp_path / str(seed), seed=seed)
        fit(trainer, tmp_path / str(seed))
        states.append(state_of(trainer))
    assert not same(*states)


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    fit(make_trainer(tmp_path), tmp_path)
    before = (tmp_path / LOG_NAME).read_text()
    again = make_trainer(tmp_path)
    again.resume(newest(tmp_path))
    fit(again, tmp_path)
    assert (tmp_path / LOG_NAME).read_text() == before
    assert again.step == 6


def test_the_log_has_one_line_per_step_with_the_rate_that_was_used(tmp_path):
    fit(make_trainer(tmp_path), tmp_path)
    rows = read_log(tmp_path / LOG_NAME)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["learning_rate"] for row in rows] == [rate(step) for step in range(6)]
    assert {"segmentation", "affinity", "loss", "images_per_second"} < rows[0].keys()


def test_evaluation_changes_no_weight(tmp_path):
    states = []
    for eval_every in (0, 2):
        trainer = make_trainer(tmp_path / str(eval_every), eval_every=eval_every)
        method, folder = trainer.method, tmp_path / str(eval_every)

        def evaluate(stopped, method=method):
            with inference_mode(method):
                method(torch.zeros(1, 3, 32, 32))
            return {"miou": 0.5}

        if eval_every:
            object.__setattr__(trainer.hooks, "evaluate", evaluate)
        fit(trainer, folder)
        states.append(state_of(trainer))
    assert same(*states)


def test_evaluation_happens_when_due_and_is_logged(tmp_path):
    trainer = make_trainer(tmp_path, eval_every=4, evaluate=lambda stopped: {"miou": 0.25})
    fit(trainer, tmp_path)
    rows = [row for row in read_log(tmp_path / LOG_NAME) if "eval_miou" in row]
    assert [(row["step"], row["eval_miou"]) for row in rows] == [(4, 0.25), (6, 0.25)]


def test_the_model_file_is_the_best_by_the_metric_and_the_checkpoint_the_last(tmp_path):
    scores, saved = iter([0.1, 0.9, 0.5]), []
    trainer = make_trainer(
        tmp_path,
        eval_every=2,
        evaluate=lambda stopped: {"miou": next(scores), "pixel_accuracy": 0.0},
        save_model=lambda trained, step: saved.append(step),
    )
    fit(trainer, tmp_path)
    best = load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    last = newest(tmp_path)
    assert (best.step, last.step) == (4, 6)
    assert best.best_score == last.best_score == 0.9
    assert saved == [2, 4]


def test_the_best_score_survives_a_resume(tmp_path):
    trainer = make_trainer(tmp_path, steps=4, eval_every=2, evaluate=lambda stopped: {"miou": 0.9})
    fit(trainer, tmp_path)
    saved = []
    rest = make_trainer(
        tmp_path,
        eval_every=2,
        evaluate=lambda stopped: {"miou": 0.5},
        save_model=lambda trained, step: saved.append(step),
    )
    rest.resume(newest(tmp_path))
    fit(rest, tmp_path)
    assert saved == []
    assert load_checkpoint(tmp_path / "checkpoints" / "best.ckpt").step == 2


def test_without_scores_the_model_file_is_the_last(tmp_path):
    saved = []
    save_model = lambda trained, step: saved.append(step)  # noqa: E731
    fit(make_trainer(tmp_path, steps=7, save_model=save_model), tmp_path)
    assert saved == [3, 6, 7]
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_term(tmp_path):
    trainer = make_trainer(tmp_path)
    honest = trainer.method.training_step

    def broken(batch, step, total):
        output = honest(batch, step, total)
        if step < 4:
            return output
        terms = output.terms | {"affinity": torch.tensor(float("inf"))}
        return replace(output, terms=terms)

    trainer.method.training_step = broken
    with pytest.raises(DivergedError, match=r"step 4: the affinity loss is inf; .*learning_rate"):
        fit(trainer, tmp_path)
    assert newest(tmp_path).step == 3
    kept = load_replay(tmp_path / "replay.ckpt")
    assert (kept.step, kept.names) == (4, ["0", "1", "2"])
    assert same(kept.trained, trainer.method.trained.state_dict())


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    trainer = make_trainer(tmp_path)
    fit(trainer, tmp_path)
    files = sorted((tmp_path / "checkpoints").iterdir())
    before = [path.read_bytes() for path in files]
    with torch.no_grad():
        next(trainer.method.trained.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"step 6: the weight \S+ is not finite"):
        trainer.save()
    assert [path.read_bytes() for path in files] == before


def test_the_frozen_clip_is_bit_equal_in_eval_mode_and_not_saved(tmp_path):
    trainer = make_trainer(tmp_path)
    before = {k: v.clone() for k, v in trainer.method.image_encoder.state_dict().items()}
    trained = state_of(trainer)
    fit(trainer, tmp_path)
    assert same(before, trainer.method.image_encoder.state_dict())
    assert not same(trained, state_of(trainer))
    assert not any(module.training for module in trainer.method.image_encoder.modules())
    assert trainer.method.trained.training
    saved = newest(tmp_path).trained
    assert saved.keys() == tiny_weclip().trained.state_dict().keys()


def test_one_process_may_train_at_several_precisions():
    for precision, mixed in (("float32", "no"), ("bf16", "bf16"), ("float32", "no")):
        assert make_accelerator(precision).mixed_precision == mixed


def test_a_stop_during_an_evaluation_is_made_up_for(tmp_path):
    """The run is saved before the scores were ready; resumed, it is scored first."""
    asked = []

    def stopped_at_once(stopped):
        asked.append(trainer.stop)
        trainer.stop.name = "SIGTERM"
        assert stopped()

    trainer = make_trainer(tmp_path, eval_every=2, evaluate=stopped_at_once)
    with pytest.raises(StoppedError, match=r"SIGTERM came; saved after step 2; .* --resume"):
        fit(trainer, tmp_path)
    assert (newest(tmp_path).step, newest(tmp_path).evaluated_step) == (2, 0)

    rest = make_trainer(tmp_path, eval_every=2, evaluate=lambda stopped: {"miou": 0.25})
    rest.resume(newest(tmp_path))
    fit(rest, tmp_path)
    rows = [row for row in read_log(tmp_path / LOG_NAME) if "eval_miou" in row]
    assert [row["step"] for row in rows] == [2, 4, 6]


def test_a_second_signal_interrupts_at_once():
    requests = StopRequests()
    with requests:
        signal.raise_signal(signal.SIGINT)
        assert requests.name == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):  # as before the context
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_each_signal_is_noted(number):
    before = signal.signal(number, signal.SIG_DFL)  # `nohup` starts with one that is ignored
    try:
        with StopRequests() as requests:
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert requests.name == signal.Signals(number).name


def test_a_closed_terminal_is_a_signal_unless_it_is_ignored():
    """As `nohup` does."""
    for handler, noted in ((signal.SIG_DFL, "SIGHUP"), (signal.SIG_IGN, None)):
        before = signal.signal(signal.SIGHUP, handler)
        try:
            with StopRequests() as requests:
                signal.raise_signal(signal.SIGHUP)
                assert requests.name == noted
            assert signal.getsignal(signal.SIGHUP) == handler
        finally:
            signal.signal(signal.SIGHUP, before)


def test_the_loss_scaling_of_fp16_is_in_the_checkpoint(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=512.0)
    trainer.step = 1
    trainer.save()
    rest = make_trainer(tmp_path)
    rest.accelerator.scaler = torch.amp.GradScaler("cpu")
    rest.resume(newest(tmp_path))
    assert rest.accelerator.scaler.get_scale() == 512.0


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), EOFError()])
def test_a_worker_that_took_its_tensors_with_it_is_no_full_disk(tmp_path, error):
    """What reading from a worker that has just died raises, sooner than PyTorch notices."""
    trainer = make_trainer(tmp_path)

    def broken():
        yield make_batch(seed=0)
        raise error

    log = RunLog(tmp_path, 0)
    with (
        pytest.raises(RunError, match=r"a process that reads images died .* after step 1 is int"),
        log,
        StepView(QUIET, 6, on_cpu=True) as view,
    ):
        trainer.fit(broken(), log, view)
    assert newest(tmp_path).step == 1


@pytest.mark.parametrize("scored", [False, True])
def test_a_young_run_soon_has_something_to_see(tmp_path, monkeypatch, scored):
    monkeypatch.setattr("weclip.training.loop.FIRST_LOOK", -1.0)
    models = []
    evaluate = (lambda stopped: {"miou": 0.5}) if scored else None
    save = lambda trained, step: models.append(step)  # noqa: E731
    trainer = make_trainer(tmp_path, save_every=0, evaluate=evaluate, save_model=save)
    with pytest.raises(Interruption):
        fit(trainer, tmp_path, stop_at=2)
    assert models == [1]
    assert newest(tmp_path).step == 1
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["step-000000001.png"]
