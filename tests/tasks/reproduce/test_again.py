"""A reproduction gone on with after what its stages made has changed."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.tasks.reproduce.test_run import miou, record
from tests.tasks.reproduce.worlds import QUICK

from weclip.tasks.reproduce import work
from weclip.tasks.reproduce.run import make_request
from weclip.tasks.reproduce.run import reproduce as run


def test_what_was_made_of_another_model_is_made_again(tmp_path, voc_root, clip_file, monkeypatch):
    """Its stages all ended; then the training is done anew, and gives another model."""
    done, model = [], {"content": b"first"}

    def train(request, stage, console):
        done.append(stage.name)
        folder = request.out / stage.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_bytes(model["content"])
        (folder / "run.json").write_text("{}")
        return {"steps": 2}

    def scores(request, stage, console):
        done.append(stage.name)
        folder = request.out / stage.name
        folder.mkdir(parents=True)  # nothing of an earlier model is left there
        (folder / "run.json").write_text("{}")
        read = request.out / stage.source / "model.safetensors"
        return {"miou": {row.scored: len(read.read_bytes()) / 100 for row in request.table.rows}}

    for kind, work_of in (("train", train), ("evaluate", scores), ("labels", scores)):
        monkeypatch.setitem(work.WORK, kind, work_of)
    changes = [f"clip.weights={clip_file}", *QUICK]
    request = make_request("voc", voc_root, tmp_path / "out", changes=changes)
    request = replace(request, table=replace(request.table, rows=request.table.rows[3:4]))
    assert run(request)[0].mean == pytest.approx(5)
    shutil.rmtree(request.out / "seed-0/train")
    model["content"] = b"another"
    assert run(request)[0].mean == pytest.approx(7)
    assert done == 2 * ["seed-0/train", "seed-0/train-labels"]
    run(request)
    (request.out / "seed-0/train/model.safetensors").write_bytes(b"third")
    assert run(request)[0].mean == pytest.approx(5)
    assert done[4:] == ["seed-0/train-labels"]


def test_masks_that_are_others_are_scored_again(tmp_path, voc_root, reproduce, capsys):
    out = tmp_path / "out"
    assert reproduce("cd-clip", voc_root, out) == 0
    before = record(out)["rows"][0]["mean"]
    for path in (out / "maps/masks").iterdir():
        Image.fromarray(np.zeros((48, 48), np.uint8)).save(path)
    capsys.readouterr()
    assert reproduce("cd-clip", voc_root, out) == 0
    shown = capsys.readouterr().out
    assert "maps: done already" in shown
    assert "maps-scores: weclip evaluate" in shown
    assert record(out)["rows"][0]["mean"] == miou(out / "maps-scores", "maps") != before


def test_overwrite_does_not_keep_stages_that_were_typed_nor_delete_them(
    tmp_path, voc_root, reproduce, capsys
):
    kept = tmp_path / "out/maps/run.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    assert reproduce("cd-clip", voc_root, tmp_path / "out", "--overwrite") == 2
    assert "holds other files and no reproduction" in capsys.readouterr().err
    assert kept.is_file()
