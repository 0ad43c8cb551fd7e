"""`weclip regions` that is killed anywhere and resumed leaves the files of one that was not."""

import random
import time

import pytest
from tests.end_to_end import worlds
from tests.labels.regions.overlapping import PLUGIN
from tests.survival import processes

pytest.importorskip("skimage", reason="needs the extra 'regions'")

NO_RESULTS = {"run.json", "regions.json", ".lock"}
KILLS = [pytest.param(12, marks=pytest.mark.long)]
WRITES = {"masks": 2, "an overlay": 3, "an id map": 13}
"""How many files are written before the one that is cut off: run.json, regions.json, then three of
each image."""


@pytest.fixture(scope="module")
def line(voc_world, tmp_path_factory):
    """The command line on the VOC folder, with a source whose masks overlap, without `--out`."""
    plugin = tmp_path_factory.mktemp("plugin") / "parts.py"
    plugin.write_text(PLUGIN)
    data = [f"data.root={voc_world}", "data.train_split=train", "regions.source=overlapping"]
    return ["regions", "--config", "voc", *data, "--overlays", "--plugin", str(plugin)]


def start(line, out, **options):
    command = [*line, "--out", str(out), "--resume"]
    return processes.start(command, out.with_suffix(".txt"), **options)


def finish(line, out):
    process = start(line, out)
    process.join()
    assert process.exitcode == 0, out.with_suffix(".txt").read_text()


def results(out):
    files = worlds.folder_content(out).items()
    return {name: content for name, content in files if name not in NO_RESULTS}


def require_nothing_half_written(out, whole):
    """What has its final name is final, and where an id map is, all of its image is."""
    found = {name: data for name, data in results(out).items() if ".tmp" not in name}
    assert found.items() <= whole.items()
    for name in found:
        if name.startswith("maps/"):
            stem = name.removeprefix("maps/").removesuffix(".png")
            assert {f"masks/{stem}.json", f"overlays/{stem}.png"} <= found.keys()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, line):
    """Files of an output that was left alone, and how long it took."""
    root = tmp_path_factory.mktemp("whole")
    for name in ("first", "second"):  # the first one also starts the server
        began = time.monotonic()
        finish(line, root / name)
        seconds = time.monotonic() - began
    files = results(root / "second")
    assert len(files) == 3 * 8 + 1
    return files, seconds


@pytest.mark.parametrize("planned", KILLS)
def test_killed_at_random_moments(tmp_path, line, whole, planned):
    reference, seconds = whole
    moments = random.Random(6)
    kills = runs = 0
    while kills < planned:
        out = tmp_path / f"run{runs}"
        while True:
            process = start(line, out)
            process.join(moments.uniform(0, seconds) if kills < planned else None)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            kills += process.exitcode == -9
            require_nothing_half_written(out, reference)
        assert process.exitcode == 0, out.with_suffix(".txt").read_text()
        assert results(out) == reference
        runs += 1


@pytest.mark.parametrize(
    "what", [pytest.param(w, marks=[pytest.mark.long] if w != "an id map" else []) for w in WRITES]
)
def test_killed_while_it_writes(tmp_path, line, whole, what):
    reference, _ = whole
    out = tmp_path / "run"
    process = start(line, out, kill_at_write=WRITES[what])
    process.join()
    assert process.exitcode == -9
    assert list(out.rglob(".*.tmp")), "no file was half written"
    require_nothing_half_written(out, reference)
    finish(line, out)
    assert results(out) == reference


def test_shards_at_once_one_of_them_killed(tmp_path, line, whole):
    reference, seconds = whole
    out = tmp_path / "run"
    running = [start([*line, "--shard", f"{index}/2"], out) for index in (1, 2)]
    time.sleep(seconds / 2)
    running.pop().kill()
    running[0].join()
    assert running[0].exitcode == 0, out.with_suffix(".txt").read_text()
    require_nothing_half_written(out, reference)
    finish(line, out)
    assert results(out) == reference
