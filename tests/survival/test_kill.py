"""A run that is killed anywhere ends with the same weights, bit for bit, as one that was not."""

import random
import shutil
import time

import pytest
import torch
from tests.end_to_end import worlds
from tests.survival import processes

from weclip.training.checkpoint import latest_checkpoint, load_checkpoint
from weclip.training.model_file import read_model_file
from weclip.training.runlog import LOG_NAME, read_log

KILLS = [4, pytest.param(20, marks=pytest.mark.long)]
"""How often; the whole number where there is time (make test-long)."""

FILES = 12
"""About as many files as a run writes until it has come to its middle."""


@pytest.fixture(scope="module")
def changes(voc_world, clip_file):
    return [*worlds.voc_changes(voc_world, clip_file), "train.steps=16", "train.save_every=1"]


def command(out, changes):
    return ["train", "--config", "voc", "--out", str(out), *changes, "train.eval_every=5"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, changes):
    """Files of an uninterrupted run, and how long it took."""
    root = tmp_path_factory.mktemp("whole")
    seconds = []
    for name, fewer in (("first", ["train.steps=1"]), ("second", [])):  # the first fills caches
        began = time.monotonic()
        process = processes.start(command(root / name, [*changes, *fewer]), root / f"{name}.txt")
        process.join()
        seconds.append(time.monotonic() - began)
        assert process.exitcode == 0, (root / f"{name}.txt").read_text()
    return root / "second", seconds[1]


def results(run):
    """What a run leaves behind: each number of its model, its checkpoints and its log."""
    checkpoints = {
        path.name: plain(vars(load_checkpoint(path)))
        for path in (run / "checkpoints").glob("*.ckpt")
    }
    rows = read_log(run / LOG_NAME)
    log = [{key: row[key] for key in row if key != "images_per_second"} for row in rows]
    model = plain(vars(read_model_file(run / "model.safetensors")))
    return checkpoints | {"model": model, "log": log}


def plain(value):
    """Tensors as their bytes, so that `==` compares bit by bit."""
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value


def no_checkpoint_is_unreadable(run):
    for path in (run / "checkpoints").glob("*.ckpt"):
        load_checkpoint(path)


@pytest.mark.parametrize("planned", KILLS)
def test_killed_at_random_moments(tmp_path, changes, whole, planned):
    """Whenever a run comes to its end, it is compared, and the next one is killed."""
    reference, seconds = whole
    moments = random.Random(7)
    kills = runs = 0
    out = tmp_path / "run0"
    while kills < planned or not (out / "done").exists():
        process = processes.start([*command(out, changes), "--resume"], tmp_path / "told.txt")
        process.join(moments.uniform(0, 1.2 * seconds) if kills < planned else None)
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            no_checkpoint_is_unreadable(out)
            continue
        assert process.exitcode == 0, (tmp_path / "told.txt").read_text()
        assert results(out) == results(reference)
        runs += 1
        if kills < planned:
            out = tmp_path / f"run{runs}"
        else:
            (out / "done").touch()
    assert runs >= 1


WRITES = [pytest.param(n, marks=[pytest.mark.long] if n % 6 else []) for n in range(0, FILES, 2)]


@pytest.mark.parametrize("written", WRITES)
def test_killed_while_it_writes_a_file(tmp_path, changes, whole, written):
    out, told = tmp_path / "run", tmp_path / "told.txt"
    process = processes.start(command(out, changes), told, kill_at_write=written)
    process.join()
    assert process.exitcode == -9
    assert any(path.name.endswith(".tmp") for path in out.rglob(".*")), "no file was half written"
    no_checkpoint_is_unreadable(out)
    process = processes.start([*command(out, changes), "--resume"], told)
    process.join()
    assert process.exitcode == 0, told.read_text()
    assert results(out) == results(whole[0])
    assert not any(path.name.endswith(".tmp") for path in out.rglob(".*"))


LAST = [pytest.param(n, marks=[pytest.mark.long] if n in (2, 3, 5) else []) for n in range(1, 6)]
SCORED = {
    "with scores": [],
    "without scores": ["data.eval_split=null"],
}


@pytest.fixture(scope="module", params=SCORED)
def short(request, tmp_path_factory, changes):
    """A short run: its changes, its results, and how many files it writes."""
    root = tmp_path_factory.mktemp("short")
    short = [*changes, "train.steps=3", *SCORED[request.param]]
    process = processes.start(command(root / "run", short), root / "told.txt")
    process.join()
    assert process.exitcode == 0, (root / "told.txt").read_text()
    return short, results(root / "run"), int((root / "told.writes").read_text())


@pytest.mark.parametrize("from_the_end", LAST)
def test_killed_in_its_last_writes_a_run_has_all_results_after_a_resume(
    tmp_path, short, from_the_end
):
    changes, wanted, writes = short
    out, told = tmp_path / "run", tmp_path / "told.txt"
    process = processes.start(command(out, changes), told, kill_at_write=writes - from_the_end)
    process.join()
    assert process.exitcode == -9
    no_checkpoint_is_unreadable(out)
    process = processes.start([*command(out, changes), "--resume"], told)
    process.join()
    assert process.exitcode == 0, told.read_text()
    assert f"model: {out / 'model.safetensors'}" in told.read_text()
    assert results(out) == wanted


@pytest.mark.parametrize("missing", ["model.safetensors", "log.jsonl", "config.yaml"])
def test_what_a_finished_run_has_lost_is_made_again(tmp_path, whole, changes, missing):
    """Of the log only the last scores: the losses are those of steps that are not run again."""
    out, told = tmp_path / "run", tmp_path / "told.txt"
    shutil.copytree(whole[0], out)
    (out / missing).unlink()
    process = processes.start([*command(out, changes), "--resume"], told)
    process.join()
    assert process.exitcode == 0, told.read_text()
    found, wanted = results(out), results(whole[0])
    if missing == "log.jsonl":
        wanted["log"] = wanted["log"][-1:]
    assert found == wanted
    assert (out / "config.yaml").read_bytes() == (whole[0] / "config.yaml").read_bytes()


def test_the_comparison_can_fail(changes, whole):
    checkpoint, _ = latest_checkpoint(whole[0] / "checkpoints")
    assert checkpoint.step == 16
    found = results(whole[0])
    assert found.keys() == {
        *(f"step-0000000{n}.ckpt" for n in (15, 16)),
        "best.ckpt",
        "model",
        "log",
    }
    assert plain(checkpoint.trained) != found["step-000000015.ckpt"]["trained"]
