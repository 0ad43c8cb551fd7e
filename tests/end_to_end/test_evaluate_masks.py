"""`weclip evaluate --masks`: any folder of masks, through the command line."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end import worlds
from tests.end_to_end.scored_masks import NAMES, evaluate, evaluate_voc, read, record, save

from weclip.cli import app as cli
from weclip.data.classes import load_classes

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"


@pytest.fixture(scope="module")
def predicted(run_folder, voc_world, tmp_path_factory):
    """Masks that `weclip predict` wrote; do not change them."""
    out = tmp_path_factory.mktemp("predicted") / "out"
    images = f"{voc_world}/JPEGImages/val_*.png"
    assert cli.run(["predict", "--model", str(run_folder), images, "--out", str(out)]) == 0
    return out / "masks"


def test_predicted_files_score_as_their_model(run_folder, voc_world, predicted, tmp_path):
    model = ["evaluate", "--model", str(run_folder), "--out", str(tmp_path / "model")]
    assert cli.run(model) == 0
    assert evaluate_voc(predicted, tmp_path / "masks", voc_world) == 0
    of_model, of_masks = record(tmp_path / "model", "Segmentation"), record(tmp_path / "masks")
    for key in (
        *("miou", "pixel_accuracy", "mean_class_accuracy", "boundary_iou", "num_images", "split"),
        *("per_class_iou", "per_class_boundary_iou"),
    ):
        assert of_masks[key] == of_model[key], key
    assert 0 < of_masks["boundary_iou"] < 1
    assert len(of_masks["per_class_boundary_iou"]) == 21


def test_the_record_says_what_is_known(voc_world, predicted, tmp_path, capsys):
    assert evaluate_voc(predicted, tmp_path / "out", voc_world) == 0
    found = record(tmp_path / "out")
    assert (found["kind"], found["split"], found["num_images"]) == ("masks", "val", 3)
    missing = {"count": 0, "names": []}
    assert found["protocol"] == {"unsure": "wrong", "missing": missing, "crf": False}
    assert found["unsure_share"] == 0
    assert found["checkpoint"] == str(predicted)
    assert found["seed"] is None
    assert {"weclip", "commit"} <= found["versions"].keys()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["kind"] == "evaluation"
    shown = " ".join(capsys.readouterr().out.split())
    assert "boundary IoU" in shown
    assert "unsure (255) on 0 % of the pixels, counted as wrong; 0 masks missing" in shown


def test_the_truth_scores_1_and_rgb_as_ids(voc_world, truth, tmp_path):
    assert evaluate_voc(truth, tmp_path / "ids", voc_world) == 0
    found = record(tmp_path / "ids")
    assert (found["miou"], found["boundary_iou"], found["pixel_accuracy"]) == (1, 1, 1)
    moved = {name: np.roll(read(truth / f"{name}.png"), 3, axis=1) for name in NAMES}
    palette = load_classes("voc").palette
    for name, ids in moved.items():
        save(ids, tmp_path / "moved" / f"{name}.png")
        save(palette[ids], tmp_path / "rgb" / f"{name}.png")
    for kind in ("moved", "rgb"):
        assert evaluate_voc(tmp_path / kind, tmp_path / f"{kind}-scores", voc_world) == 0
    of_ids, of_rgb = (record(tmp_path / f"{kind}-scores") for kind in ("moved", "rgb"))
    assert 0.3 < of_ids["boundary_iou"] < of_ids["miou"] < 1
    assert of_rgb | {"checkpoint": of_ids["checkpoint"]} == of_ids


def test_unsure_pixels_are_wrong(voc_world, truth, tmp_path, capsys):
    ids = read(truth / "val_8.png")
    ids[:12] = 255
    save(ids, truth / "val_8.png")
    assert evaluate_voc(truth, tmp_path / "out", voc_world) == 0
    found = record(tmp_path / "out")
    share = 12 / (3 * worlds.SIZE)
    assert found["unsure_share"] == pytest.approx(share)
    assert found["pixel_accuracy"] == pytest.approx(1 - share)
    assert found["miou"] < 1
    assert found["boundary_iou"] < 1
    assert "unsure (255) on 8.3 % of the pixels" in " ".join(capsys.readouterr().out.split())


def test_missing_masks_are_named_and_only_on_request_left_out(voc_world, truth, tmp_path, capsys):
    (truth / "val_9.png").unlink()
    out = tmp_path / "out"
    assert evaluate_voc(truth, out, voc_world) == 2
    line = f"{truth}: 1 of 3 masks are missing: val_9.png"
    hint = "add them, or score those that are there with --allow-missing"
    assert capsys.readouterr().err == f"weclip: error: {line}; {hint}\n"
    assert not out.exists()
    assert evaluate_voc(truth, out, voc_world, "--allow-missing") == 0
    shown = capsys.readouterr().out
    assert f"warning: {line}\n" in shown
    found = record(out)
    assert found["protocol"]["missing"] == {"count": 1, "names": ["val_9"]}
    assert (found["num_images"], found["miou"]) == (2, 1)
    shutil.rmtree(truth)
    truth.mkdir()
    assert evaluate_voc(truth, tmp_path / "none", voc_world, "--allow-missing") == 2
    said = capsys.readouterr().err
    assert "3 of 3 masks are missing: val_8.png, val_9.png, val_10.png; a mask has its" in said


def test_own_folders_need_no_clip_and_no_tags_of_predictions(tmp_path):
    """Sub-folders are kept; the truth's `mask_labels` do not change what predictions mean."""
    root = worlds.write_folder(tmp_path / "photos")
    (root / "dataset.yaml").write_text("mask_labels: {1: cat, 2: bird}\n")
    swapped = np.array([0, 2, 1, 3], np.uint8)
    files = sorted((root / "masks" / "val").glob("*.png"))
    for path in files:
        save(swapped[read(path)], tmp_path / "masks" / "val" / path.name)
    changes = (root, "data.eval_split=val")
    assert evaluate(tmp_path / "masks", tmp_path / "out", *changes) == 0
    found = record(tmp_path / "out")
    assert (found["miou"], found["boundary_iou"], found["num_images"]) == (1, 1, len(files))
    assert list(found["per_class_iou"]) == ["background", "bird", "cat", "dog"]


@pytest.mark.parametrize("prefix", ["COCO_val2014_", "", "COCO_train2014_"])
def test_coco_masks_may_have_the_prefix_of_the_images(tmp_path, prefix, capsys):
    root = worlds.write_coco(tmp_path / "MSCOCO")
    (tmp_path / "masks").mkdir()
    truth = sorted((root / "SegmentationClass" / "val").iterdir())
    for path in truth:
        shutil.copy(path, tmp_path / f"masks/{prefix}{path.name}")
    classes = tmp_path / "classes.yaml"
    classes.write_text(f"classes: [{', '.join(worlds.COLOURS)}]")
    changes = ("--config", "coco", f"data.root={root}", f"data.classes={classes}")
    assert evaluate(tmp_path / "masks", tmp_path / "out", *changes) == 0
    found = record(tmp_path / "out")
    assert (found["miou"], found["num_images"]) == (1, len(truth))
    for other in ("COCO_val2017_", "COCO_test2015_"):
        shutil.copy(truth[0], tmp_path / "masks" / f"{other}{truth[0].name}")
    (tmp_path / "masks" / f"{prefix}{truth[0].name}").unlink()
    capsys.readouterr()
    assert evaluate(tmp_path / "masks", tmp_path / "other", *changes) == 2
    assert "may both be the mask of COCO_val2014_" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0, 255])
def test_a_truth_without_any_class_is_refused(voc_world, truth, tmp_path, capsys, value):
    root = shutil.copytree(voc_world, tmp_path / "VOC2012")
    for path in (root / "SegmentationClass").iterdir():
        ids = read(path)
        save(np.where(ids > 0, value, 0).astype(np.uint8), path)
    assert evaluate_voc(truth, tmp_path / "out", root) == 2
    message = capsys.readouterr().err
    assert "in which no class is drawn at all; scores would mean nothing" in message
    assert not (tmp_path / "out").exists()


def test_void_pixels_of_the_truth_never_count(tmp_path):
    root = worlds.write_voc(tmp_path / "VOC2012")
    folder = root / "SegmentationClass"
    for name in NAMES:
        ids = read(folder / f"{name}.png")
        guess = ids.copy()
        ids[:, 10:20] = 255
        guess[:, 10:20] = 255 if name == "val_8" else 7
        save(ids, folder / f"{name}.png")
        save(guess, tmp_path / "masks" / f"{name}.png")
    assert evaluate_voc(tmp_path / "masks", tmp_path / "out", root) == 0
    found = record(tmp_path / "out")
    assert (found["miou"], found["boundary_iou"], found["unsure_share"]) == (1, 1, 0)


def test_overwrite_replaces_an_evaluation_but_not_the_masks(voc_world, truth, tmp_path, capsys):
    out = tmp_path / "out"
    assert evaluate_voc(truth, out, voc_world) == 0
    assert evaluate_voc(truth, out, voc_world) == 2
    assert evaluate_voc(truth, out, voc_world, "--overwrite") == 0
    inside = Path(shutil.move(truth, out / "masks"))
    capsys.readouterr()
    assert evaluate_voc(inside, out, voc_world, "--overwrite") == 2
    assert "choose an output folder elsewhere" in capsys.readouterr().err
    assert len(list(inside.iterdir())) == 3


def test_masks_of_weclip_label_with_other_classes_are_refused(truth, voc_world, tmp_path, capsys):
    """Their ids mean something else; a list that goes on is no other."""
    masks = Path(shutil.copytree(truth, tmp_path / "labels" / "masks"))
    recipe = masks.parent / "label.json"
    own = list(load_classes("voc").names_with_background)
    for names in (own, [*own, "own class"]):
        recipe.write_text(json.dumps({"classes": names}))
        assert evaluate_voc(masks, tmp_path / "out", voc_world, "--overwrite") == 0
    recipe.write_text(json.dumps({"classes": [own[0], *reversed(own[1:])]}))
    capsys.readouterr()
    assert evaluate_voc(masks, tmp_path / "other", voc_world) == 2
    assert "made by weclip label of other classes" in capsys.readouterr().err


def test_the_commands_of_the_page_run(run_folder, voc_world, predicted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, place in {
        "VOC2012": voc_world,
        "runs/voc": run_folder,
        "masks": predicted,
        "other": predicted,
    }.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).symlink_to(place)
    photos = worlds.write_folder(Path("photos"))
    drawn = next((photos / "masks" / "val").glob("*.png"))
    save(read(drawn), Path("drawn") / "val" / drawn.name)
    block = re.search(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    lines = block.splitlines()
    assert len(lines) == 4
    assert [cli.run(shlex.split(line)[1:]) for line in lines] == [0, 0, 0, 0]
    assert record(Path("runs/drawn-scores"))["num_images"] == 1
