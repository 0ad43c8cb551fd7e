"""What a run has done is saved before what can fail, and made up for where death was faster."""

import pytest
from tests.training.tiny_run import fit, make_trainer, newest

from weclip.system.errors import InputError
from weclip.training.runlog import LOG_NAME


def test_scores_that_cannot_be_made_cost_no_step_and_no_model(tmp_path):
    saved = []

    def broken(stopped):
        raise InputError("val.png: mask is broken")

    trainer = make_trainer(
        tmp_path,
        save_every=100,
        eval_every=2,
        evaluate=broken,
        save_model=lambda trained, step: saved.append(step),
    )
    with pytest.raises(InputError, match=r"mask is broken; .* saved after step 2: .* --resume"):
        fit(trainer, tmp_path)
    assert (newest(tmp_path).step, saved) == (2, [2])
    assert newest(tmp_path).evaluated_step == 0  # scored first when the mask is mended


def resumed(folder, **options):
    """A finished run that was resumed; the steps of the models that it wrote."""
    saved = []
    trainer = make_trainer(folder, save_model=lambda state, step: saved.append(step), **options)
    trainer.resume(newest(folder))
    fit(trainer, folder)
    return saved


def test_a_finished_run_without_a_model_gets_the_best_one(tmp_path):
    scores = iter([0.1, 0.9, 0.5])
    how = {"eval_every": 2, "evaluate": lambda stopped: {"miou": next(scores)}}
    fit(make_trainer(tmp_path, **how), tmp_path)
    assert resumed(tmp_path, **how) == []
    assert resumed(tmp_path, has_model=False, **how) == [4]
    (tmp_path / "checkpoints" / "best.ckpt").unlink()
    assert resumed(tmp_path, has_model=False, **how) == [6]


def test_a_finished_run_without_a_model_and_scores_gets_the_last_one(tmp_path):
    fit(make_trainer(tmp_path), tmp_path)
    assert resumed(tmp_path, has_model=False) == [6]


def test_a_finished_run_whose_last_scores_are_gone_is_scored_again(tmp_path):
    how = {"eval_every": 3, "evaluate": lambda stopped: {"miou": 0.5}}
    fit(make_trainer(tmp_path, **how), tmp_path)
    log = tmp_path / LOG_NAME
    rows = log.read_text()
    log.write_text("".join(rows.splitlines(keepends=True)[:-1]))
    assert resumed(tmp_path, **how) == []
    assert log.read_text() == rows
