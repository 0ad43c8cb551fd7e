"""One way to say things: data and changes are arguments, and what was otherwise says so."""

import shlex

import pytest

from weclip.cli import app as cli
from weclip.cli.options import GONE

NEW = {
    "train --data photos clip.weights=x --out runs/p": (
        "--data photos: data need no option now",
        "weclip train photos clip.weights=x --out runs/p",
    ),
    "train --data=photos --tags auto --out p": (
        "--data photos: data need no option now",
        "weclip train photos data.tags_file=auto --out p",
    ),
    "train photos --tags 'my tags.csv' --out p": (
        "--tags my tags.csv: tags are a key now",
        "weclip train photos 'data.tags_file=my tags.csv' --out p",
    ),
    "label photos --tags auto --out p": (
        "--tags auto: tags are a key now",
        "weclip label photos data.tags_file=auto --out p",
    ),
    "evaluate --masks m --data photos --out p": (
        "--data photos: data need no option now",
        "weclip evaluate --masks m photos --out p",
    ),
    "predict a.jpg --set eval.scales=[1.0] --set=eval.crf=true --model r --out p": (
        "--set eval.scales=[1.0]: changes need no option now",
        "weclip predict a.jpg 'eval.scales=[1.0]' eval.crf=true --model r --out p",
    ),
    "tag photos --classes voc --out t.csv": (
        "--classes voc: classes are a key now",
        "weclip tag photos data.classes=voc --out t.csv",
    ),
    "train --out p --data": ("--data ...: data need no option now", "weclip train --out p ..."),
}


@pytest.mark.parametrize("line", NEW)
def test_an_option_that_is_gone_names_the_new_line(line, capsys):
    assert cli.run(shlex.split(line)) == 2
    old, new = NEW[line]
    assert capsys.readouterr().err == f"weclip: error: {old}; write: {new}\n"


def test_each_option_that_is_gone_is_tried():
    tried = {(line.split()[0], option) for line in NEW for option in line.replace("=", " ").split()}
    assert {(command, option) for command in GONE for option in GONE[command]} <= tried


def test_a_new_line_that_would_be_long_is_cut(capsys):
    images = [f"{number:060}.jpg" for number in range(9)]
    assert cli.run(["predict", *images, "--set", "eval.crf=true", "--out", "p"]) == 2
    assert "write: weclip predict ... eval.crf=true\n" in capsys.readouterr().err


def test_what_only_other_commands_lost_is_no_hint(capsys):
    assert cli.run(["check", "--data", "photos"]) == 2
    assert "No such option: --data" in capsys.readouterr().err
    assert cli.run(["tag", "--out", "t.csv", "--", "--classes"]) == 2
    assert "are a key now" not in capsys.readouterr().err
