"""Plugins that cannot be used, and parts that are declared wrongly: one line each."""

from pathlib import Path

import pytest

from weclip.cli import app as cli
from weclip.config_file import load_config
from weclip.plugins import load_plugins
from weclip.system.errors import InputError

HEAD = """\
from dataclasses import dataclass
from typing import ClassVar
from weclip.parts import *

"""
LOSS = "@loss({name!r})\n@dataclass(frozen=True)\nclass L:\n    weight: float = 1.0\n"
CALL = "    def __call__(self, given, total): return given.logits.sum()\n"
WHOLE = HEAD + LOSS.format(name="mine") + CALL


@pytest.fixture
def write(tmp_path: Path):
    def written(code: str, name: str = "mine.py") -> Path:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
        return tmp_path / name

    return written


def affinity(body: str) -> str:
    call = "    def __call__(self, cam, view, feature_affinity): return cam\n"
    return f"{HEAD}@affinity('mine')\n@dataclass(frozen=True)\nclass A:\n{body}{call}"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\n", "declares no part; put @loss"),
        ("def f(:\n", r"line 1: SyntaxError: "),
        ("\n\nraise KeyError('a')\n", r"line 3: KeyError: 'a'"),
        ("import not_there_at_all\n", "line 1: ModuleNotFoundError: "),
        (HEAD + LOSS.format(name="affinity") + CALL, "loss 'affinity' is declared twice"),
        (WHOLE + "\n" + WHOLE, "loss 'mine' is declared twice"),
        (HEAD + LOSS.format(name="a-b") + CALL, "must be a word of letters, digits and _"),
        (HEAD + LOSS.format(name="if") + CALL, "must be a word of letters, digits and _"),
        (HEAD + LOSS.format(name="terms") + CALL, "loss 'terms': loss.terms is a key; rename it"),
        (HEAD + LOSS.format(name="mine"), "it has no __call__, which computes"),
        (WHOLE.replace("(frozen=True)", ""), r"put @dataclass\(frozen=True\) under its decorator"),
        (WHOLE.replace("@dataclass(frozen=True)\n", ""), "under its decorator"),
        (WHOLE.replace("= 1.0", ""), "its setting 'weight' has no default"),
        (WHOLE.replace("weight", "factor"), "a loss has a setting 'weight'"),
        (affinity(""), "say what it reads of the view"),
        (affinity("    reads: ClassVar = ('embedding',)\n"), "has a setting 'self_self_blocks'"),
        (affinity("    reads: ClassVar = ('depth',)\n"), "reads 'depth', which no view has"),
        (
            affinity("    reads: ClassVar = ('branches',)\n"),
            "affinity 'mine' reads 'branches', which this configuration does not provide",
        ),
    ],
)
def test_refused_in_one_line(write, code, said):
    with pytest.raises(InputError, match=said) as caught:
        load_config(
            "voc",
            ["data.root=x", "clip.weights=y", *(["affinity.source=mine"] * ("@affinity" in code))],
            plugins=[write(code)],
        )
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_or_twice(write, tmp_path):
    with pytest.raises(InputError, match=r"--plugin .*none\.py: no such file"):
        load_plugins([tmp_path / "none.py"])
    with pytest.raises(InputError, match="plugin cannot be read: it is no file"):
        load_plugins([tmp_path])
    one, other = write(WHOLE), write(WHOLE + "\nx = 1\n", "b/mine.py")
    with pytest.raises(InputError, match=r"mine\.py: two files of this name"):
        load_plugins([one, other])
    third = write(WHOLE + "\ny = 1\n", "third.py")
    with pytest.raises(InputError, match=r"third\.py: loss 'mine' is in mine\.py too"):
        load_plugins([one, third])


def test_a_setting_has_its_rule_and_its_type(write):
    code = WHOLE.replace("= 1.0", "= setting(1.0, source='ours', least=0, most=2)")
    base = ["data.root=x", "clip.weights=y"]
    for change, said in (
        ("loss.mine.weight=3", "loss.mine.weight=3.0 is not allowed; it must be from 0 to 2"),
        ("loss.mine.weight=a", "loss.mine.weight must be a number"),
        ("loss.mine.wight=1", "unknown key loss.mine.wight; did you mean 'weight'"),
        ("loss.terms=[mine,mine]", "loss.terms: 'mine' is named twice"),
        ("loss.terms=[]", "loss.terms is empty; name at least one of"),
    ):
        with pytest.raises(InputError, match=said.replace("[", r"\[")):
            load_config("voc", [*base, change], plugins=[write(code)])


def test_a_file_cannot_name_a_plugin_to_be_run(write, tmp_path, capsys):
    """Only --plugin runs code, whatever a configuration says."""
    harm = write(f"open({str(tmp_path / 'harm')!r}, 'w')\n", "harm.py")
    config = write(f"plugins: {{{harm}: abc}}\ndata: {{root: x}}\n", "config.yaml")
    assert cli.run(["train", "--config", str(config), "--out", str(tmp_path / "out")]) == 2
    assert "was made with the plugin" in capsys.readouterr().err
    assert cli.run(["train", "x", f"plugins={harm}", "--out", str(tmp_path / "out")]) == 2
    assert "unknown key plugins" in capsys.readouterr().err
    assert not (tmp_path / "harm").exists()


def test_a_plugin_is_run_once_in_a_process(write, tmp_path):
    log = tmp_path / "log"
    file = write(f"{WHOLE}\nopen({str(log)!r}, 'a').write('run ')\n")
    first, second = load_plugins([file]), load_plugins([file])
    assert first == second
    assert log.read_text() == "run "
