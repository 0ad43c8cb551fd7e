"""What a newcomer sees first."""

import subprocess
import sys

import pytest

import weclip
from weclip.cli import app as cli

COMMANDS = ("train", "evaluate", "predict", "label", "tag", "demo")


def test_the_command_lists_its_commands(capsys):
    assert cli.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "image-level tags" in shown
    assert all(command in shown for command in (*COMMANDS, "check"))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_shows_an_example_and_its_options(command, capsys):
    assert cli.run([command, "--help"]) == 0
    captured = capsys.readouterr()
    shown = " ".join(captured.out.split())
    assert f"For example: weclip {command} " in shown
    assert "--out" in shown
    assert "--overwrite" in shown
    assert captured.err == ""


def test_check_shows_its_exit_codes_and_writes_no_folder(capsys):
    assert cli.run(["check", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "For example: weclip check photos, or weclip check --config voc" in shown
    assert "Exit code 0: all is well; 1: warnings; 2: errors." in shown
    assert "--json" in shown
    assert "--out" not in shown


def test_no_command_shows_the_help(capsys):
    assert cli.run([]) == 2
    captured = capsys.readouterr()
    assert "Usage: weclip" in captured.out
    assert captured.err == "weclip: error: no command given (see weclip --help)\n"


@pytest.mark.parametrize("module", ["weclip", "weclip.cli.app"])
def test_help_does_not_wait_for_pytorch(module):
    code = f"import {module}, sys; print([m for m in ('torch', 'accelerate') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_are_listed_before_they_are_imported():
    assert {"load", "load_config", "InputError"} <= set(dir(weclip))
