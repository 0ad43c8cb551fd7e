"""What a newcomer sees first."""

import re
import subprocess
import sys
from importlib import metadata

import pytest
from typer.main import get_command

import weclip
from weclip.cli import app as cli
from weclip.cli.options import require_new_spelling
from weclip.config_file import load_config
from weclip.tasks.datasets import split_changes

COMMANDS = (
    "train",
    "evaluate",
    "predict",
    "label",
    "tag",
    "memory",
    "regions",
    "bundle",
    "reproduce",
    "demo",
)


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


COMMAND = get_command(cli.app)
EXAMPLE = re.compile(r"weclip (?:[^\s,]|\s(?!or ))+")


@pytest.mark.parametrize("command", ["", *COMMAND.commands])
def test_help_fits_80_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.run([command, "-h"] if command else ["-h"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def examples():
    """Every example in the help of a command, as its words."""
    for name, command in COMMAND.commands.items():
        given = " ".join(command.help.split("For example:")[1].split())
        yield from ((name, found[0].split()) for found in EXAMPLE.finditer(given))


@pytest.mark.parametrize(("name", "words"), list(examples()))
def test_an_example_is_understood(name, words):
    """All of it: the command, its options, and each change of the configuration."""
    assert words[:2] == ["weclip", name]
    require_new_spelling(words[1:])
    with COMMAND.commands[name].make_context(name, words[2:]) as context:
        given = context.params.get("arguments") or context.params.get("changes") or []
        config = context.params.get("config") or "folder"
    paths, changes = split_changes(given)
    assert len(paths) <= 1
    load_config(config, ["data.root=x", "clip.weights=x", *changes])


def test_every_command_has_an_example():
    assert {name for name, _ in examples()} == set(COMMAND.commands)


def test_version(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"weclip {metadata.version('weclip')}\n"
