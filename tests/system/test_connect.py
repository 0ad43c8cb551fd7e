"""What launchers have left in the environment is understood, refused or ignored; never a hang."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, os, sys, warnings
from datetime import timedelta
from accelerate import PartialState
from weclip.system import distributed
distributed.SILENCE = timedelta(seconds=2)
warnings.simplefilter("always")
told = []
for case in json.loads(sys.argv[1]):
    PartialState._reset_state()
    os.environ.update(case)
    with warnings.catch_warnings(record=True) as noted:
        try:
            place = distributed.connect()
            text = f"{place.process_index} of {place.num_processes}"
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
    told.append([text, [str(each.message) for each in noted]])
    for key in case:
        os.environ.pop(key, None)
print(json.dumps(told))
"""

ALONE = [
    {},
    {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"},
    {"RANK": "3", "LOCAL_RANK": "3"},
    {"RANK": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"},
    {"PMI_RANK": "0", "PMI_SIZE": "1"},
    {"LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"},
]
REFUSED = [
    ({"RANK": "1", "WORLD_SIZE": "two"}, "InputError: the environment does not say which of how"),
    ({"RANK": "x", "WORLD_SIZE": "2"}, "InputError: the environment does not say which of how"),
    ({"RANK": "2", "WORLD_SIZE": "2"}, "InputError: RANK=2 is not below WORLD_SIZE=2"),
    ({"RANK": "0", "WORLD_SIZE": "2"}, "InputError: WORLD_SIZE=2 is in the environment, but not"),
    ({"PMI_RANK": "1", "PMI_SIZE": "2"}, "InputError: WORLD_SIZE=2 is in the environment, but"),
]


@pytest.fixture(scope="module")
def told():
    """What `connect` says in each case, in one process."""
    port = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    late = {"RANK": "1", "WORLD_SIZE": "2", **port}
    cases = [*ALONE, *(case for case, _ in REFUSED), late]
    names = ("RANK", "SIZE", "MASTER", "TORCHELASTIC")
    env = {key: value for key, value in os.environ.items() if not any(n in key for n in names)}
    command = [sys.executable, "-c", SCRIPT, json.dumps(cases)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("index", range(len(ALONE)))
def test_one_process_is_alone_whatever_is_left(told, index):
    assert told[index] == ["0 of 1", []]


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_what_cannot_be_is_one_line(told, index):
    text, _ = told[len(ALONE) + index]
    assert text.startswith(REFUSED[index][1])
    assert "to run alone, unset WORLD_SIZE and RANK" in text
    assert "\n" not in text


def test_who_waits_says_so_and_gives_up(told):
    text, noted = told[-1]
    assert text.startswith("RunError: the other 1 processes did not come (")
    assert "this is process 1 of 2 by the environment; waiting up to" in noted[0]
