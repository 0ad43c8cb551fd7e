import os

import pytest
import torch
from tests.training.tiny_run import make_trainer, same

from weclip.errors import InputError
from weclip.training.checkpoint import (
    load_checkpoint,
    random_state,
    restore_random_state,
    save_checkpoint,
)


class Harm:
    """Unpickled carelessly, this makes a folder."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


@pytest.fixture
def path(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.step, trainer.best_score = 7, 0.5
    trainer.save("last")
    return tmp_path / "checkpoints" / "last.pt"


def test_round_trip(path, tmp_path):
    checkpoint = load_checkpoint(path)
    assert (checkpoint.step, checkpoint.best_score, checkpoint.config) == (7, 0.5, "train: {}")
    assert same(checkpoint.decoder, make_trainer(tmp_path).method.decoder.state_dict())
    save_checkpoint(tmp_path / "again.pt", checkpoint)
    assert same(load_checkpoint(tmp_path / "again.pt").decoder, checkpoint.decoder)


def test_random_state_is_restored():
    state = random_state()
    first = torch.rand(3)
    restore_random_state(state)
    assert torch.equal(first, torch.rand(3))


def refused(path, pattern):
    with pytest.raises(InputError, match=pattern) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing(tmp_path):
    refused(tmp_path / "last.pt", "no checkpoint to resume from; start without --resume")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_truncated(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path, "not a readable weclip checkpoint")


@pytest.mark.parametrize("content", [{"decoder": {}}, [1, 2], torch.zeros(2), {"a": 1}])
def test_a_file_of_something_else(tmp_path, content):
    torch.save(content, tmp_path / "last.pt")
    refused(tmp_path / "last.pt", "not a readable weclip checkpoint")


def test_text(tmp_path):
    (tmp_path / "last.pt").write_text("step: 3\n")
    refused(tmp_path / "last.pt", "not a readable weclip checkpoint")


def test_code_in_a_checkpoint_is_not_executed(tmp_path):
    torch.save({"step": Harm(tmp_path / "harm")}, tmp_path / "last.pt")
    refused(tmp_path / "last.pt", "not a readable weclip checkpoint")
    assert not (tmp_path / "harm").exists()
