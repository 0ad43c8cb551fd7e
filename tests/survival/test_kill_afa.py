"""A run of AFA that is killed ends with the same weights, bit for bit; NaN can be replayed."""

import pytest
from tests.end_to_end import worlds
from tests.survival.test_kill_plus import KILLS, ends_as_one_left_alone

from weclip.cli import app as cli


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments(tmp_path, afa_changes, kills):
    """In each of its phases, as released: depth, dropout and batch normalisation take part."""
    few = ["train.steps=8", "train.save_every=1", "faithful=true"]
    line = ["train", "--config", "voc-afa", *afa_changes, *few, "--resume", "--out"]
    ends_as_one_left_alone(line, tmp_path, kills)


def test_nan_leaves_the_step_to_be_run_again(tmp_path, afa_changes, capsys):
    out, broken = tmp_path / "run", ["optim.learning_rate=1e9", "optim.warmup_steps=0"]
    assert worlds.train(out, *afa_changes, *broken, config="voc-afa") == 1
    assert "loss is nan" in capsys.readouterr().err
    assert cli.run(["replay", str(out / "replay.ckpt")]) == 0
    assert "not finite again" in capsys.readouterr().out
