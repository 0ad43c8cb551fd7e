import json
import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

import weclip
from weclip.cli import app as cli
from weclip.data.masks.colours import voc_palette
from weclip.system.errors import InputError


def predict(run, out, *arguments):
    return cli.run(["predict", "--model", str(run), "--out", str(out), *map(str, arguments)])


def evaluate(run, out, *arguments):
    return cli.run(["evaluate", "--model", str(run), "--out", str(out), *map(str, arguments)])


def pngs(out):
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*.png"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Images of odd sizes and kinds, some in a sub-folder."""
    root = tmp_path_factory.mktemp("photos")
    (root / "sub").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (37, 50, 4), dtype=np.uint8)
    Image.fromarray(noise[..., :3]).save(root / "rgb.jpg")
    Image.fromarray(noise[..., 0]).save(root / "grey.png")
    Image.fromarray(noise).save(root / "sub" / "alpha.png")
    Image.fromarray(noise[..., :3]).convert("P").save(root / "sub" / "palette.png")
    Image.fromarray(noise[:1, :, :3]).save(root / "sub" / "line.bmp")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    Image.fromarray(noise[..., :3]).save(root / "turned.jpg", exif=exif)
    (root / "notes.txt").write_text("no image")
    return root


SIZES = {
    "grey.png": (50, 37),
    "rgb.png": (50, 37),
    "sub/alpha.png": (50, 37),
    "sub/line.png": (50, 1),
    "sub/palette.png": (50, 37),
    "turned.png": (37, 50),
}


def test_label_maps_are_palette_pngs_of_the_original_size(run_folder, photos, tmp_path, capsys):
    assert predict(run_folder, tmp_path / "out", photos) == 0
    assert "6 label maps in" in capsys.readouterr().out
    masks = tmp_path / "out" / "masks"
    assert pngs(tmp_path / "out") == [f"masks/{name}" for name in SIZES]
    for name, size in SIZES.items():
        with Image.open(masks / name) as mask:
            assert (mask.mode, mask.size) == ("P", size)
            assert mask.getpalette()[:9] == voc_palette()[:9]
            assert np.asarray(mask).max() <= 20


def test_files_patterns_and_overlays(run_folder, photos, tmp_path):
    inputs = (photos / "grey.png", f"{photos}/sub/*.png")
    assert predict(run_folder, tmp_path / "out", *inputs, "--overlays") == 0
    names = ["alpha.png", "grey.png", "palette.png"]
    folders = ("masks", "overlays")
    assert pngs(tmp_path / "out") == [f"{f}/{name}" for f in folders for name in names]
    with Image.open(tmp_path / "out" / "overlays" / "grey.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (50, 37))


def test_python_gives_the_same_for_path_image_and_array(run_folder, photos, tmp_path):
    model = weclip.load(run_folder)
    assert model.class_names[:3] == ("background", "aeroplane", "bicycle")
    assert len(model.class_names) == 21
    path = photos / "rgb.jpg"
    with Image.open(path) as image:
        label_maps = [model.predict(x).label_map for x in (path, str(path), image, np.array(image))]
    for label_map in label_maps:
        assert (label_map.dtype, label_map.shape) == (np.uint8, (37, 50))
        assert np.array_equal(label_map, label_maps[0])
    assert predict(run_folder / "model.safetensors", tmp_path / "out", path) == 0
    with Image.open(tmp_path / "out" / "masks" / "rgb.png") as mask:
        assert np.array_equal(np.asarray(mask), label_maps[0])


def test_a_grey_array_is_a_grey_image(run_folder, photos):
    model = weclip.load(run_folder)
    with Image.open(photos / "grey.png") as image:
        assert np.array_equal(model.predict(np.array(image)), model.predict(image))


@pytest.mark.parametrize("array", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.float32)])
def test_other_arrays_are_refused(run_folder, array):
    with pytest.raises(InputError, match=r"image array is \(4, 4.*give \(H, W, 3\) or \(H, W\)"):
        weclip.load(run_folder).predict(array)


def test_changes_of_the_protocol(run_folder, photos, tmp_path):
    changes = ("eval.scales=[1.0,0.75]", "eval.flip=true")
    assert predict(run_folder, tmp_path / "out", photos / "rgb.jpg", *changes) == 0


def test_predicting_needs_neither_data_nor_tags(tmp_path, clip_file, photos):
    root = worlds.write_voc(tmp_path / "VOC2012")
    assert worlds.train(tmp_path / "run", *worlds.voc_changes(root, clip_file)) == 0
    shutil.rmtree(root)
    assert predict(tmp_path / "run", tmp_path / "out", photos / "rgb.jpg") == 0


def test_a_clip_that_moved_is_found_and_another_one_refused(tmp_path, voc_world, photos, capsys):
    old = worlds.write_clip(tmp_path / "old.safetensors")
    run = tmp_path / "run"
    assert worlds.train(run, *worlds.voc_changes(voc_world, old)) == 0
    before = weclip.load(run).predict(photos / "rgb.jpg")
    new = old.rename(tmp_path / "new.safetensors")
    with pytest.raises(InputError, match=r"needs CLIP old.safetensors, which is not at .*--clip"):
        weclip.load(run)
    after = weclip.load(run, clip=new).predict(photos / "rgb.jpg")
    assert np.array_equal(before, after)
    assert predict(run, tmp_path / "out", photos / "rgb.jpg", "--clip", new) == 0

    other = worlds.write_clip(tmp_path / "other.safetensors", seed=1)
    with pytest.raises(InputError, match=r"was trained with CLIP old.*but .* is other.safetensors"):
        weclip.load(run, clip=other)
    capsys.readouterr()
    assert evaluate(run, tmp_path / "scores", "--clip", other) == 2
    assert "give the right weights with --clip" in capsys.readouterr().err


def test_an_evaluation_is_never_alone(run_folder, tmp_path, capsys):
    assert evaluate(run_folder, tmp_path / "out", "eval.scales=[1.0,0.75]", "eval.flip=true") == 0
    records = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    record = records["Segmentation"]
    assert record["protocol"] == {
        "long_side": 48,
        "tile": None,
        "overlap": None,
        "scales": [1.0, 0.75],
        "scale_merge": "mean",
        "flip": True,
        "crf": False,
        "precision": "float32",
        "tags_used": False,
    }
    assert (record["kind"], record["split"], record["num_images"]) == ("segmentation", "val", 3)
    assert record["checkpoint"] == f"{run_folder / 'model.safetensors'} after 4 steps"
    assert record["seed"] == 0
    assert {"weclip", "torch", "commit", "device"} <= record["versions"].keys()
    assert 0 <= record["miou"] <= 1
    assert len(record["per_class_iou"]) == 21
    assert record["per_class_iou"]["train"] is None
    shown = capsys.readouterr().out
    assert "mIoU" in shown
    assert "pixel accuracy" in shown
    assert json.loads((tmp_path / "out" / "run.json").read_text())["kind"] == "evaluation"


def test_labels_are_scored_with_tags_and_say_so(run_folder, tmp_path):
    assert evaluate(run_folder, tmp_path / "out", "--labels", "data.eval_split=train") == 0
    records = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert list(records) == ["CAM", "Refined CAM", "Pseudo-label"]
    for record in records.values():
        assert record["protocol"]["tags_used"]
        assert (record["split"], record["num_images"]) == ("train", 8)


def test_evaluation_matches_the_predicted_files(run_folder, voc_world, tmp_path):
    """Scores of the command are those of the PNGs that `predict` writes."""
    assert evaluate(run_folder, tmp_path / "scores") == 0
    assert predict(run_folder, tmp_path / "out", f"{voc_world}/JPEGImages/val_*.png") == 0
    right = total = 0
    for name in ("val_8", "val_9", "val_10"):
        with Image.open(tmp_path / "out" / "masks" / f"{name}.png") as mask:
            predicted = np.asarray(mask)
        with Image.open(voc_world / "SegmentationClass" / f"{name}.png") as mask:
            right += int((predicted == np.asarray(mask)).sum())
        total += predicted.size
    record = json.loads((tmp_path / "scores" / "evaluation.json").read_text())["Segmentation"]
    assert record["pixel_accuracy"] == pytest.approx(right / total)


def test_overwrite_replaces_only_the_same_kind(run_folder, photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos / "rgb.jpg") == 0
    assert predict(run_folder, out, photos / "grey.png") == 2
    assert predict(run_folder, out, photos / "grey.png", "--overwrite") == 0
    assert pngs(out) == ["masks/grey.png"]
    capsys.readouterr()
    assert predict(run_folder, run_folder, photos / "grey.png", "--overwrite") == 2
    assert "holds a training and no prediction" in capsys.readouterr().err
    assert (run_folder / "model.safetensors").is_file()


def test_a_missing_crf_leaves_an_earlier_evaluation_alone(run_folder, tmp_path, monkeypatch):
    assert evaluate(run_folder, tmp_path / "scores") == 0
    before = worlds.folder_content(tmp_path / "scores")
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    assert evaluate(run_folder, tmp_path / "scores", "eval.crf=true", "--overwrite") == 2
    assert worlds.folder_content(tmp_path / "scores") == before


def test_the_report_shows_what_was_scored(run_folder, tmp_path):
    """A model's predictions, and with --labels what it learnt from, beside each other."""
    assert evaluate(run_folder, tmp_path / "model") == 0
    page = (tmp_path / "model" / "report.html").read_text(encoding="utf-8")
    captions = ["image", "Segmentation", "wrong", "truth"]
    assert re.findall(r'alt="val_9: ([^"]*)"', page) == captions
    assert len(re.findall(r"<h3>val_\d+ ", page)) == 3
    assert "Boundary IoU per class" in page
    assert "<h2>Training</h2>" not in page
    assert "eval.long_side" in page
    assert evaluate(run_folder, tmp_path / "labels", "--labels", "data.eval_split=train") == 0
    page = (tmp_path / "labels" / "report.html").read_text(encoding="utf-8")
    captions = ["image", "CAM", "Refined CAM", "Pseudo-label", "who is right", "truth"]
    shown = re.findall(r'alt="(train_\d): ([^"]*)"', page)
    assert [caption for _, caption in shown[:6]] == captions
    assert "several right, not all" in page
