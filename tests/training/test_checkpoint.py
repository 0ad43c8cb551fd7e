import hashlib
import os
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
import torch
from tests.training.tiny_run import make_trainer, same

from weclip.system.errors import InputError
from weclip.training.checkpoint import (
    MAGIC,
    keep_checkpoints,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
    saved_steps,
    step_path,
    write_checked,
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
    trainer.step, trainer.best_score, trainer.evaluated_step = 7, 0.5, 6
    trainer.save()
    return step_path(tmp_path / "checkpoints", 7)


def test_round_trip(path, tmp_path):
    checkpoint = load_checkpoint(path)
    assert (checkpoint.step, checkpoint.best_score, checkpoint.evaluated_step) == (7, 0.5, 6)
    assert (checkpoint.config, checkpoint.inputs) == ("train: {}", {"images": "0"})
    assert same(checkpoint.trained, make_trainer(tmp_path).method.trained.state_dict())
    save_checkpoint(tmp_path / "again.ckpt", checkpoint)
    assert same(load_checkpoint(tmp_path / "again.ckpt").trained, checkpoint.trained)


def refused(path, pattern):
    with pytest.raises(InputError, match=pattern) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing(tmp_path):
    refused(tmp_path / "step.ckpt", "checkpoint not found")


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.99])
def test_truncated(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path, "not a readable weclip checkpoint")


@pytest.mark.parametrize("place", [0.05, 0.3, 0.6, 0.9])
def test_one_changed_bit_is_found(path, place):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    refused(path, "its checksum differs")


@pytest.mark.parametrize("content", [{"trained": {}}, {"a": 1}])
def test_a_file_of_something_else(tmp_path, content):
    write_checked(tmp_path / "other.ckpt", content)
    refused(tmp_path / "other.ckpt", "not a readable weclip checkpoint")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step", "7"),
        ("step", True),
        ("trained", {"weight": 1.0}),
        ("trained", [1]),
        ("optimizer", []),
        ("config", b"train: {}"),
        ("inputs", {"images": 3}),
        ("best_score", "high"),
        ("evaluated_step", None),
    ],
)
def test_a_field_of_the_wrong_type(path, field, value):
    content = vars(load_checkpoint(path)) | {field: value}
    write_checked(path, content)
    refused(path, f"not a readable weclip checkpoint .'{field}' is of the wrong type")


@pytest.mark.parametrize("content", [[1, 2], {1: 2}, "text"])
def test_a_file_that_is_no_record(tmp_path, content):
    write_checked(tmp_path / "other.ckpt", content)
    refused(tmp_path / "other.ckpt", "it holds other things")


def test_an_archive_without_our_header(tmp_path):
    torch.save({"step": 1}, tmp_path / "plain.pt")
    refused(tmp_path / "plain.pt", "it is none")


def test_text(tmp_path):
    (tmp_path / "text.ckpt").write_text("step: 3\n")
    refused(tmp_path / "text.ckpt", "not a readable weclip checkpoint")


def test_no_code_of_a_checkpoint_is_executed(tmp_path):
    archive = BytesIO()
    torch.save({"trained": Harm(tmp_path / "harm")}, archive)
    with_archive(tmp_path / "bad.ckpt", archive.getvalue())
    refused(tmp_path / "bad.ckpt", "not a readable weclip checkpoint")
    assert not (tmp_path / "harm").exists()


def with_archive(path, archive):
    digest = hashlib.sha256(archive).hexdigest().encode()
    path.write_bytes(MAGIC + digest + b"\n" + archive)


HOSTILE = {
    "64 GB by torch's own unpickler": (
        b"cbuiltins\nbytearray\n\x8a\x05\0\0\0\0\x10\x85R.",
        zipfile.ZIP_STORED,
        "it asks for more than tensors; nothing in it was executed",
    ),
    "a bomb": (
        b"N." + bytes(10**7),
        zipfile.ZIP_DEFLATED,
        "damaged: something in it is compressed",
    ),
    "a memo far away": (b"Nr\xff\xff\xff\x7f.", zipfile.ZIP_STORED, "it holds other things"),
    "depth": (b"]" * 10**5 + b"a" * (10**5 - 1) + b".", zipfile.ZIP_STORED, "too many or too deep"),
    "a state": (b"}N}X\x01\0\0\0aNs\x86b.", zipfile.ZIP_STORED, "damaged: wants to change"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoints_take_one_line(tmp_path, name):
    program, compression, message = HOSTILE[name]
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", compression) as file:
        file.writestr("archive/data.pkl", b"\x80\x02" + program)
    with_archive(tmp_path / "bad.ckpt", archive.getvalue())
    refused(tmp_path / "bad.ckpt", message)


@pytest.fixture
def folder(path):
    """Checkpoints after the steps 3, 5 and 7."""
    checkpoint = load_checkpoint(path)
    for step in (3, 5):
        save_checkpoint(step_path(path.parent, step), replace(checkpoint, step=step))
    return path.parent


def test_the_latest_whole_checkpoint_is_taken(folder):
    assert latest_checkpoint(folder)[0].step == 7
    newest = step_path(folder, 7)
    newest.write_bytes(newest.read_bytes()[:-1])
    checkpoint, damaged = latest_checkpoint(folder)
    assert checkpoint.step == 5
    assert len(damaged) == 1
    assert str(newest) in damaged[0]


def test_no_whole_checkpoint_is_an_error_that_names_the_newest(folder):
    for step in (3, 5, 7):
        step_path(folder, step).write_bytes(b"")
    with pytest.raises(InputError, match=r"step-000000007\.ckpt: .*; none before it is whole"):
        latest_checkpoint(folder)


def test_no_checkpoint_at_all(tmp_path):
    assert latest_checkpoint(tmp_path / "nowhere") == (None, [])


@pytest.mark.parametrize(
    ("until", "count", "kept"), [(7, 2, [5, 7]), (7, 9, [3, 5, 7]), (6, 2, [3, 5]), (0, 2, [])]
)
def test_old_checkpoints_and_those_of_a_future_given_up_are_deleted(folder, until, count, kept):
    (folder / "best.ckpt").write_bytes(b"")
    (folder / ".step-000000009.ckpt.123.tmp").write_bytes(b"")
    keep_checkpoints(folder, until=until, count=count)
    assert saved_steps(folder) == kept
    assert {path.name for path in folder.iterdir()} == {
        "best.ckpt",
        *(step_path(folder, step).name for step in kept),
    }


def test_a_checkpoint_of_an_earlier_format_gets_one_line(path):
    path.write_bytes(path.read_bytes().replace(MAGIC, b"weclip-checkpoint-2 ", 1))
    refused(path, r"made by an earlier development version; train or label again$")
