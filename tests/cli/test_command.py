"""`--device` and `--quiet`, which no function of a command sees."""

import pytest

from weclip.cli import app as cli
from weclip.cli.command import ComputingCommand
from weclip.system.console import Screen, quietly, screen, warn, warnings_of
from weclip.system.distributed import chosen_device
from weclip.tasks import check, predict

COMPUTING = {
    "train",
    "label",
    "tag",
    "regions",
    "memory",
    "predict",
    "evaluate",
    "demo",
    "replay",
    "reproduce",
    "review",
}
LINE = ["predict", "a.jpg", "--model", "run", "--out", "out"]


def test_what_computes_has_a_device_and_all_can_be_quiet():
    commands = {command.callback.__name__: command for command in cli.app.registered_commands}
    assert {name for name, command in commands.items() if command.cls is ComputingCommand} == (
        COMPUTING
    )
    assert all("quiet" in command.cls.shared for command in commands.values())


@pytest.mark.parametrize(
    ("device", "line"),
    [
        ("tpu", "--device tpu: there is none of this name; give cpu, cuda, cuda:1 or mps"),
        ("mps", "--device mps: not a device that PyTorch can use here; known: cpu"),
        ("", "--device : there is none of this name"),
        ("cuda:99", "--device cuda:99: not a device that PyTorch can use here; known: cpu"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(device, line, capsys):
    assert cli.run([*LINE, "--device", device]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"weclip: error: {line}")
    assert error.count("\n") == 1


def test_the_command_computes_on_the_device_and_is_quiet(monkeypatch, capsys):
    seen = []

    def noted(*given, console, **more):
        seen.append(chosen_device())
        console.print("done")
        warn(console, "odd")
        return predict.Predicted(1, [])

    monkeypatch.setattr(predict, "predict", noted)
    assert cli.run([*LINE, "--device", "cpu", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "warning: odd\n")
    assert cli.run(LINE) == 0
    assert "done" in capsys.readouterr().out
    assert seen == ["cpu", None]


def test_a_silent_process_does_not_even_warn(capsys):
    with quietly(True):
        assert warnings_of(screen(quiet=True)).quiet
    assert warnings_of(screen()).quiet is False
    assert warnings_of(Screen(quiet=True)).quiet
    assert capsys.readouterr() == ("", "")


def test_check_tells_problems_only(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no image")
    (tmp_path / "photos" / "tags.csv").write_text("image,tags\na.jpg,dog\n")
    assert cli.run(["check", "photos", "--quiet"]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert "error (1)" in error
    assert check.KIND not in error
