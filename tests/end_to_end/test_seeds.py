import json
from statistics import mean, stdev

import pytest
import torch
from tests.end_to_end.worlds import folder_content, train, voc_changes
from tests.survival.runs import last
from tests.training.tiny_run import same

from weclip.training.runlog import read_log


@pytest.fixture(scope="module")
def trained(tmp_path_factory, voc_world, clip_file):
    """A training from two seeds."""
    out = tmp_path_factory.mktemp("seeds") / "runs"
    assert train(out, *voc_changes(voc_world, clip_file), "--seeds", "0,7") == 0
    return out


def test_each_seed_is_a_run_of_its_own(trained, run_folder):
    assert same(last(trained / "seed-0").trained, last(run_folder).trained)
    assert not same(last(trained / "seed-7").trained, last(run_folder).trained)


def test_mean_and_deviation_are_those_of_the_last_scores(trained):
    record = json.loads((trained / "seeds.json").read_text())
    scores = [read_log(trained / f"seed-{seed}" / "log.jsonl")[-1]["eval_miou"] for seed in (0, 7)]
    assert [record["seeds"][seed]["miou"] for seed in ("0", "7")] == scores
    assert record["over_seeds"]["mean"]["miou"] == mean(scores)
    assert record["over_seeds"]["standard_deviation"]["miou"] == stdev(scores)


def test_resuming_does_what_is_missing(trained, voc_world, clip_file, capsys):
    before = folder_content(trained / "seed-0" / "checkpoints")
    changes = voc_changes(voc_world, clip_file)
    assert train(trained, *changes, "--seeds", "0,7,8", "--resume") == 0
    assert folder_content(trained / "seed-0" / "checkpoints") == before
    record = json.loads((trained / "seeds.json").read_text())
    assert record["seeds"].keys() == {"0", "7", "8"}
    assert "standard deviation" in capsys.readouterr().out


def test_without_masks_there_is_nothing_to_compare(tmp_path, voc_world, clip_file, capsys):
    changes = [*voc_changes(voc_world, clip_file), "data.eval_split=null", "train.steps=2"]
    assert train(tmp_path / "runs", *changes, "--seeds", "0,1") == 0
    assert "no masks, so no scores" in capsys.readouterr().out


def test_a_deterministic_run_equals_its_repetition(tmp_path, run_folder, voc_world, clip_file):
    """On a CPU the default does too; on a GPU it need not."""
    changes = [*voc_changes(voc_world, clip_file), "train.deterministic=true"]
    try:
        for name in ("one", "two"):
            assert train(tmp_path / name, *changes) == 0
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert same(last(tmp_path / "one").trained, last(tmp_path / "two").trained)
    assert same(last(tmp_path / "one").trained, last(run_folder).trained)


@pytest.mark.parametrize("wrong", ["data.tags_file=gone.csv", "clip.weights=gone.pt"])
def test_bad_input_leaves_nothing_behind(tmp_path, voc_world, clip_file, wrong):
    changes = [*voc_changes(voc_world, clip_file), wrong]
    assert train(tmp_path / "runs", *changes, "--seeds", "0,7") == 2
    assert not (tmp_path / "runs").exists()


def test_a_damaged_clip_leaves_nothing_behind(tmp_path, voc_world, clip_file):
    broken = tmp_path / "clip.safetensors"
    broken.write_bytes(clip_file.read_bytes()[:5000])
    changes = voc_changes(voc_world, broken)
    assert train(tmp_path / "runs", *changes, "--seeds", "0,7") == 2
    assert not (tmp_path / "runs").exists()
