"""`weclip label` that is killed anywhere and resumed leaves the files of one that was not."""

import time
from functools import partial
from pathlib import Path

import pytest
from tests.end_to_end import worlds
from tests.survival.resumed import finish, killed_at_random, killed_at_write, start, timed

from weclip.exports.formats import EXPORTS

KILLS = [3, pytest.param(12, marks=pytest.mark.long)]
NO_RESULTS = {"run.json", "label.json", "report.html", ".lock"}
"""Files that name versions, their folder, and who works there."""
FOLDERS = ("yolo", "label-studio", "fiftyone", "huggingface")
WRITES = {
    "the marker": 0,
    "soft maps": 2,
    "a mask": 16,
    "the manifest": 26,
    "a label of yolo": 30,
    "cvat.zip": 37,
    "a label of fiftyone": 43,
    "the last of huggingface": 59,
}
"""How many files are written before the one that is cut off."""


@pytest.fixture(scope="module")
def line(voc_world, clip_file):
    """The command line on the VOC folder, with all that `label` writes, without `--out`."""
    pytest.importorskip("pycocotools", reason="needs the extra 'prepare'")
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    wanted = ["--overlays", "--soft", "--export", ",".join(EXPORTS)]
    return ["label", "--config", "voc", *data, f"clip.weights={clip_file}", *wanted]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, line):
    """Files of an output that was left alone, how long it took, and how many were written."""
    out, seconds = timed(line, tmp_path_factory.mktemp("whole"))
    return results(out), seconds, int(out.with_suffix(".writes").read_text())


def results(out: Path) -> dict[str, bytes]:
    """All files that are results."""
    files = worlds.folder_content(out).items()
    return {name: content for name, content in files if name not in NO_RESULTS}


def require_nothing_half_written(out: Path, whole: dict[str, bytes]) -> None:
    """What has its final name is final, and a folder of an export is whole."""
    found = {name: data for name, data in results(out).items() if ".tmp" not in name}
    assert found.items() <= whole.items()
    for folder in FOLDERS:
        if (out / folder).exists():
            assert {name for name in whole if name.startswith(f"{folder}/")} <= found.keys()


def test_the_reference_has_everything(whole):
    files, _, _ = whole
    for folder, count in {"masks": 8, "overlays": 8, "soft": 8, "yolo": 17, "fiftyone": 17}.items():
        assert sum(name.startswith(f"{folder}/") for name in files) == count
    assert {"manifest.jsonl", "coco.json", "cvat.zip", "huggingface/metadata.jsonl"} <= files.keys()


@pytest.mark.parametrize("planned", KILLS)
def test_killed_at_random_moments(tmp_path, line, whole, planned):
    """Whenever an output is finished it is compared, and the next one is killed."""
    reference, seconds, _ = whole
    look = partial(require_nothing_half_written, whole=reference)
    for out in killed_at_random(line, tmp_path, planned, seconds, look):
        assert results(out) == reference


LIKE_ANOTHER = ("soft maps", "a label of fiftyone")  # a mask; a label of yolo


@pytest.mark.parametrize(
    "what",
    [pytest.param(w, marks=[pytest.mark.long] if w in LIKE_ANOTHER else []) for w in WRITES],
)
def test_killed_while_it_writes(tmp_path, line, whole, what):
    reference, _, _ = whole
    out = tmp_path / "run"
    killed_at_write(line, out, WRITES[what])
    require_nothing_half_written(out, reference)
    finish(line, out)
    assert results(out) == reference


LAST = [pytest.param(n, marks=[pytest.mark.long] if n > 1 else []) for n in range(1, 6)]


@pytest.mark.parametrize("from_the_end", LAST)
def test_killed_in_its_last_writes_it_has_all_results_after_a_resume(
    tmp_path, line, whole, from_the_end
):
    reference, writes = whole[0], whole[2]
    out = tmp_path / "run"
    killed_at_write(line, out, writes - from_the_end)
    require_nothing_half_written(out, reference)
    finish(line, out)
    assert results(out) == reference


def test_shards_at_once_one_of_them_killed(tmp_path, line, whole):
    """Both that are left may find all masks there, and write the exports at once."""
    reference, seconds, _ = whole
    out = tmp_path / "run"
    for shards in ((1, 2, 3), (2, 3)):
        running = [start([*line, "--shard", f"{index}/3"], out) for index in shards]
        if len(shards) == 3:
            time.sleep(seconds / 2)
            running.pop(1).kill()
        for process in running:
            process.join()
            assert process.exitcode == 0, out.with_suffix(".txt").read_text()
        require_nothing_half_written(out, reference)
    finish(line, out)
    assert results(out) == reference
