"""`weclip regions` that is killed anywhere and resumed leaves the files of one that was not."""

import time
from functools import partial

import pytest
from tests.end_to_end import worlds
from tests.labels.regions.overlapping import PLUGIN
from tests.survival.resumed import finish, killed_at_random, killed_at_write, start, timed

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
    out, seconds = timed(line, tmp_path_factory.mktemp("whole"))
    files = results(out)
    assert len(files) == 3 * 11 + 1
    return files, seconds


@pytest.mark.parametrize("planned", KILLS)
def test_killed_at_random_moments(tmp_path, line, whole, planned):
    reference, seconds = whole
    look = partial(require_nothing_half_written, whole=reference)
    for out in killed_at_random(line, tmp_path, planned, seconds, look):
        assert results(out) == reference


@pytest.mark.parametrize(
    "what", [pytest.param(w, marks=[pytest.mark.long] if w != "an id map" else []) for w in WRITES]
)
def test_killed_while_it_writes(tmp_path, line, whole, what):
    reference, _ = whole
    out = tmp_path / "run"
    killed_at_write(line, out, WRITES[what])
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
