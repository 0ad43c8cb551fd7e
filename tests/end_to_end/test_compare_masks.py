"""Several folders of masks, and the dense CRF of masks that are there, through the command line."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end.scored_masks import NAMES, evaluate_voc, read, records, save
from tests.labels.test_dense_crf import needs_crf

from weclip.tasks.evaluate import masks


@pytest.fixture
def shifted(truth, tmp_path):
    """The true masks, two of them three pixels off."""
    for name in NAMES:
        ids = read(truth / f"{name}.png")
        save(np.roll(ids, 3, axis=1) if name != "val_9" else ids, tmp_path / f"off/{name}.png")
    return tmp_path / "off"


def test_folders_are_compared(voc_world, truth, shifted, tmp_path, capsys):
    out = tmp_path / "out"
    assert evaluate_voc(shifted, out, voc_world, "--masks", f"best={truth}") == 0
    both = records(out)
    assert list(both) == ["off", "best"]
    assert (both["best"]["miou"], both["best"]["checkpoint"]) == (1, str(truth))
    assert evaluate_voc(shifted, tmp_path / "alone", voc_world) == 0
    assert records(tmp_path / "alone") == {"off": both["off"]}
    assert not (tmp_path / "alone" / "comparison.json").exists()
    (pair,) = json.loads((out / "comparison.json").read_text())["pairs"]
    differ = [read(shifted / f"{n}.png") != read(truth / f"{n}.png") for n in NAMES]
    assert pair == {
        "first": "off",
        "second": "best",
        "differ": pytest.approx(np.mean(differ)),
        "first_right": 0,
        "second_right": 1,
        "both_wrong": 0,
    }
    shown = " ".join(capsys.readouterr().out.split())
    assert "┃ off ┃ best ┃" in shown
    page = (out / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'<h3>(val_\d+) <span class="muted">(.*?); mIoU', page)
    assert [why for _, why in found] == ["differ most", "differ most", "hardest for all"]
    assert {name for name, _ in found[:2]} == {"val_8", "val_10"}
    assert page.count("<img ") == 3 * 5
    assert re.findall(r'alt="val_9: ([^"]*)"', page) == [
        *("image", "off", "best", "who is right", "truth")
    ]
    assert "only best right" in page


def test_the_report_of_one_folder_shows_the_worst_and_the_best(voc_world, shifted, tmp_path):
    assert evaluate_voc(shifted, tmp_path / "out", voc_world) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'<h3>(val_\d+) <span class="muted">(\w+); mIoU: (\d+)<', page)
    assert [why for _, why, _ in found] == ["worst"] * 3
    assert found[-1] == ("val_9", "worst", "100")
    assert "Where they differ" not in page
    assert "Training" not in page
    assert ">wrong<" in page


def test_folders_are_scored_on_the_images_that_all_have(
    voc_world, truth, shifted, tmp_path, capsys
):
    (shifted / "val_8.png").unlink()
    (truth / "val_10.png").unlink()
    out = tmp_path / "out"
    arguments = ("--masks", truth, "--allow-missing")
    assert evaluate_voc(f"off={shifted}", out, voc_world, *arguments) == 0
    shown = capsys.readouterr().out
    assert "1 of 3 masks are missing: val_8.png" in shown
    assert "1 of 3 masks are missing: val_10.png" in shown
    for found in records(out).values():
        assert found["num_images"] == 1
        assert found["protocol"]["missing"] == {"count": 2, "names": ["val_8", "val_10"]}
        assert found["miou"] == 1


def test_each_folder_is_scored_with_and_without_crf(
    voc_world, truth, shifted, tmp_path, monkeypatch
):
    """A CRF of the test, which takes a pixel's class from 3 pixels to its right."""
    (tmp_path / "shifting_crf.py").write_text(
        "import numpy as np\n"
        "def shift(image, probabilities):\n"
        "    assert image.shape[:2] == probabilities.shape[1:]\n"
        "    return np.roll(probabilities, -3, axis=2)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import shifting_crf

    monkeypatch.setattr(masks, "installed_crf", lambda: shifting_crf.shift)
    out = tmp_path / "out"
    arguments = ("--masks", f"true={truth}", "eval.crf=true")
    assert evaluate_voc(shifted, out, voc_world, *arguments) == 0
    found = records(out)
    assert list(found) == ["off", "off + CRF", "true", "true + CRF"]
    assert found["off"]["miou"] < 1
    assert [found[name]["protocol"]["crf"] for name in found] == [False, True, False, True]
    assert found["true + CRF"]["protocol"]["label_certainty"] == 0.7
    assert "label_certainty" not in found["off"]["protocol"]
    off_by_crf = [np.roll(read(truth / f"{n}.png"), -3, axis=1) for n in NAMES]
    wrong = np.mean([m != read(truth / f"{n}.png") for n, m in zip(NAMES, off_by_crf, strict=True)])
    assert found["true + CRF"]["pixel_accuracy"] == pytest.approx(1 - wrong)
    refined_off = np.mean(off_by_crf[1] != read(truth / "val_9.png")) / 3  # the others are righted
    assert found["off + CRF"]["pixel_accuracy"] == pytest.approx(1 - refined_off)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "only off + CRF right" in page
    assert "several right, not all" in page
    assert len(json.loads((out / "comparison.json").read_text())["pairs"]) == 6


@needs_crf
def test_the_dense_crf_mends_masks(voc_world, shifted, tmp_path):
    assert evaluate_voc(shifted, tmp_path / "out", voc_world, "eval.crf=true") == 0
    found = records(tmp_path / "out")
    assert found["off + CRF"]["miou"] > found["off"]["miou"] + 0.05


def test_a_missing_crf_is_said_before_anything_is_written(
    voc_world, truth, tmp_path, capsys, monkeypatch
):
    for name in ("pydensecrf", "pydensecrf.densecrf"):
        monkeypatch.setitem(sys.modules, name, None)
    assert evaluate_voc(truth, tmp_path / "out", voc_world, "eval.crf=true") == 2
    assert 'pip install "weclip[crf]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_path_may_have_an_equals_sign(voc_world, truth, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    truth.rename("a=1")
    assert evaluate_voc("a=1", "one", voc_world) == 0
    assert list(records(Path("one"))) == ["a=1"]
    Path("a=1").rename("b")
    (tmp_path / "runs").mkdir()
    Path("b").rename("runs/c=1")
    assert evaluate_voc("./runs/c=1", "two", voc_world) == 0
    assert evaluate_voc("d=runs/c=1", "three", voc_world) == 0
    assert (list(records(Path("two"))), list(records(Path("three")))) == (["c=1"], ["d"])
