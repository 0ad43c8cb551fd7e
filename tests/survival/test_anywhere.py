"""Commands run where nothing but the output folder can be written, and no home is known."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.end_to_end import worlds

import weclip

PACKAGE = Path(weclip.__file__).parent
DROP_FROM_BOUNDING_SET = 24  # PR_CAPBSET_DROP of linux/prctl.h
FILE_RIGHTS = (1, 2, 3)  # of root: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
READS = "-all,+dac_read_search"
NOBODY = [
    *("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"),
    *(f"--inh-caps={READS}", f"--ambient-caps={READS}"),
]
"""Runs a command as a user without a name, who may read all and write only what everybody may."""

USE = """
import sys
import numpy as np
import weclip
model = weclip.load(sys.argv[1])
assert model.predict(np.zeros((20, 30, 3), np.uint8)).label_map.shape == (20, 30)
print([name for name in sys.modules if name.split(".")[0] in ("numba", "llvmlite")])
"""


def without_rights():
    """Root, too, may then write only where it says so."""
    prctl = ctypes.CDLL(None).prctl
    for right in FILE_RIGHTS:
        prctl(DROP_FROM_BOUNDING_SET, right, 0, 0, 0)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """The environment of a container: a copy of the package and a home that are read-only."""
    if sys.platform != "linux":
        pytest.skip("needs capabilities")
    root = tmp_path_factory.mktemp("sealed")
    shutil.copytree(PACKAGE, root / "weclip", ignore=shutil.ignore_patterns("__pycache__"))
    home = root / "home"
    home.mkdir()
    for path in (home, *(p for p in (root, *root.rglob("*")) if p.is_dir())):
        path.chmod(0o555)
    yield {
        "PATH": os.defpath,
        "PYTHONPATH": str(root),
        "HOME": str(home / "nobody"),
        "TMPDIR": str(home),
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RANK": "0",
        "LOCAL_RANK": "0",
    }
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)


@pytest.fixture(params=["root without rights", pytest.param("nobody", marks=pytest.mark.long)])
def user(request, sealed, tmp_path):
    """Who runs it: what comes before the command line, and the environment."""
    if request.param != "nobody":
        return [], sealed
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("another user needs root and setpriv")
    tmp_path.chmod(0o777)
    return NOBODY, {name: value for name, value in sealed.items() if name != "HOME"}


def start(user, *arguments, folder=None):
    """Run Python in the sealed environment.

    Where `access` is asked, only the path `.` needs no right to all folders above.
    """
    before, environment = user
    return subprocess.run(
        [*before, sys.executable, *map(str, arguments)],
        env=environment,
        cwd=folder,
        preexec_fn=None if before else without_rights,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_seal_holds(user):
    code = "import weclip, pathlib; pathlib.Path(weclip.__file__).with_name('x').touch()"
    assert "Permission denied" in start(user, "-c", code).stderr


def test_prediction_needs_no_compiler_and_no_cache(user, run_folder):
    done = start(user, "-c", USE, run_folder)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_predict(user, run_folder, voc_world, tmp_path):
    images = voc_world / "JPEGImages"
    command = ["-m", "weclip", "predict", "--model", ".", "--out", tmp_path / "o"]
    done = start(user, *command, images, folder=run_folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(list((tmp_path / "o" / "masks").iterdir())) == 11


@pytest.mark.long  # compiles anew, which takes half a minute
def test_train_compiles_without_a_cache_and_says_so_once(user, voc_world, clip_file, tmp_path):
    changes = worlds.voc_changes(voc_world, clip_file)
    command = ["-m", "weclip", "train", "--config", "voc", "--out", tmp_path / "run", *changes]
    done = start(user, *command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("weclip: warning: compiled code cannot be kept here") == 1
    assert (tmp_path / "run" / "model.safetensors").is_file()


@pytest.mark.long
def test_label(user, voc_world, clip_file, tmp_path):
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    how = [f"clip.weights={clip_file}", "label.par=true", "--out", tmp_path / "o"]
    done = start(user, "-m", "weclip", "label", "--config", "voc", *data, *how)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "o" / "masks").iterdir())) == 8


@pytest.mark.long
def test_a_folder_that_cannot_be_written_is_one_line(user, run_folder, voc_world, sealed):
    """For every user of it."""
    out, images = Path(sealed["TMPDIR"]) / "o", voc_world / "JPEGImages"
    command = ["-m", "weclip", "predict", "--model", ".", "--out", out, images]
    done = start(user, *command, folder=run_folder)
    line = f"weclip: error: --out {out} cannot be made (Permission denied)\n"
    assert (done.returncode, done.stderr) == (2, line)
