"""What a shell completes."""

import os
import subprocess
import sys

import pytest

from weclip.cli.completion import (
    _keys_of,
    complete_change,
    complete_format,
    complete_method,
    complete_preset,
    keys,
)
from weclip.config_schema import schema
from weclip.exports.formats import EXPORTS


def test_keys_are_those_of_the_configuration_with_all_parts():
    assert keys() == sorted(_keys_of(schema(), ""))


@pytest.mark.parametrize(
    ("complete", "begun", "words"),
    [
        (complete_change, "clip.we", ["clip.weights="]),
        (complete_change, "affinity.attention.box", ["affinity.attention.box_threshold="]),
        (complete_change, "quirks.train", ["quirks.train_on_padding="]),
        (complete_change, "photos", []),
        (complete_preset, "f", ["folder", "folder-plus", "folder-retrieval"]),
        (complete_method, "c", ["cd-clip", "clip-es", "corrclip"]),
        (complete_format, "coco,y", ["coco,yolo"]),
        (complete_format, "", list(EXPORTS)),
    ],
)
def test_words(complete, begun, words):
    assert complete(begun) == words


def test_bash_asks_and_pytorch_is_not_imported():
    asked = {"COMP_WORDS": "weclip train clip.w", "COMP_CWORD": "2"}
    code = (
        "import atexit, sys; from weclip.cli.app import main\n"
        "atexit.register(lambda: print([m for m in ('torch', 'accelerate') if m in sys.modules]))\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | asked | {"_WECLIP_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "clip.weights=\n[]\n"


def test_bash_adds_no_space_after_a_key(tmp_path):
    """The script that is installed, with stubs for the command and for bash's own `compopt`."""
    code = "from weclip.cli.app import main; main()"
    made = subprocess.run(
        [sys.executable, "-c", code, "--show-completion", "bash"],
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    command = tmp_path / "weclip"
    command.write_text("#!/bin/sh\necho $FOUND\n")
    command.chmod(0o755)
    asking = 'compopt() { echo "$@"; }\n' + made.stdout + "\n" + f"_weclip_completion {command}\n"
    for found, said in (("clip.weights=", "-o nospace\n"), ("--resume", "")):
        done = subprocess.run(
            ["bash", "-c", asking],
            env=os.environ | {"FOUND": found},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == said
