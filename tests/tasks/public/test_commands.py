"""The commands as Python functions: what they write, give back and log."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end import worlds
from tests.end_to_end.conftest import clip_file, dino_file, run_folder, voc_world

import weclip
from weclip.data.masks.mask_files import read_mask

__all__ = ["clip_file", "dino_file", "run_folder", "voc_world"]

VOC = {"data.tags_file": "tags.csv", "data.train_split": "train"}


def test_training_from_python(voc_world, clip_file, tmp_path, capfd, caplog):
    caplog.set_level(logging.INFO, "weclip")
    run = weclip.train(
        voc_world,
        clip=clip_file,
        config="voc",
        out=tmp_path / "run",
        overrides=[*worlds.SMALL, "train.steps=3"],
        optim={"warmup_steps": 1},
        **{"train.steps": np.int64(2), **VOC},
    )
    assert run.steps == 2
    assert run.out == tmp_path / "run"
    assert 0 <= run.scores["miou"] <= 1
    assert weclip.load(run.model).class_names[0] == "background"
    assert capfd.readouterr() == ("", "")
    said = [record.getMessage() for record in caplog.records if record.name == "weclip"]
    assert any("8 images in train" in line for line in said)
    with pytest.raises(weclip.InputError, match="is not empty; choose another"):
        weclip.train(voc_world, clip=clip_file, config="voc", out=tmp_path / "run", **VOC)


def test_predicting_writes_what_the_model_gives(run_folder, voc_world, tmp_path):
    images = voc_world / "JPEGImages"
    done = weclip.predict(images, model=run_folder, out=tmp_path / "out", overlays=True)
    found = list(weclip.load(run_folder).stream(images))
    assert done.count == len(found) == 11
    assert done.skipped == ()
    for each in found:
        assert np.array_equal(read_mask(done.masks / Path(each.image).name), each)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    given = {"images": [broken, images], "model": run_folder, "out": tmp_path / "some"}
    again = weclip.predict(**given, confidence=True, ids=True, fast=True, device="cpu")
    assert again.count == len(list((again.out / "confidence").iterdir())) == 11
    assert "broken.png" in again.skipped[0]
    with pytest.raises(weclip.InputError, match=r"--fast and eval\.flip= contradict"):
        weclip.predict(**given, fast=True, eval={"flip": True})


def test_threads_may_share_a_trained_model(run_folder, voc_world):
    model, images = weclip.load(run_folder), sorted((voc_world / "JPEGImages").iterdir())
    expected = [model.predict(image).label_map for image in images]
    with ThreadPoolExecutor(2) as pool:
        for found, label_map in zip(pool.map(model.predict, images), expected, strict=True):
            assert np.array_equal(found, label_map)


def test_a_device_that_is_not_there(run_folder, voc_world, tmp_path):
    images = voc_world / "JPEGImages"
    with pytest.raises(weclip.InputError, match="device=nonsense: not a device"):
        weclip.predict(images, model=run_folder, out=tmp_path / "out", device="nonsense")


def test_evaluating_models_and_masks(run_folder, voc_world, tmp_path):
    scored = weclip.evaluate(run_folder, out=tmp_path / "scores", eval={"long_side": 64})
    assert 0 <= scored.scores["Segmentation"]["miou"] <= 1
    assert scored.scores["Segmentation"]["protocol"]["long_side"] == 64
    assert scored.report.is_file()
    truth = voc_world / "SegmentationClass"
    masks = {"a": truth, "b": str(truth)}
    compared = weclip.evaluate(masks=masks, data=voc_world, config="voc", out=tmp_path / "masks")
    assert {name: each["miou"] for name, each in compared.scores.items()} == {"a": 1, "b": 1}
    one = weclip.evaluate(masks=truth, data=voc_world, config="voc", out=tmp_path / "one")
    assert len(one.scores) == 1


def test_labelling_and_tagging(voc_world, clip_file, tmp_path):
    short = {"par.iterations": 2, "par.dilations": (1, 2), "clip.weights": clip_file}
    made = weclip.label(voc_world, config="voc", out=tmp_path / "labels", **VOC, **short)
    assert made.count == len(list(made.masks.rglob("*.png"))) == 8
    tagged = weclip.tag(voc_world, clip=clip_file, config="voc", out=tmp_path / "a.csv", **VOC)
    assert tagged.out.is_file()
    assert tagged.count == 8
    assert 0 <= tagged.scores["micro"]["f1"] <= 1


def test_regions_and_a_memory_that_both_read(voc_world, clip_file, dino_file, tmp_path, caplog):
    pytest.importorskip("skimage", reason="needs the extra 'regions'")
    caplog.set_level(logging.INFO, "weclip")
    given = {"config": "voc", "regions": {"superpixels": {"count": 12}}}
    cut = weclip.regions(voc_world, out=tmp_path / "cut", **VOC, **given)
    assert cut.count == len(list(cut.maps.rglob("*.png"))) == 11  # with those to score on
    assert "VOC2012: 11 images in train, val; no tags are read" in caplog.messages[0]
    given = {"config": "voc", "regions": {"files": cut.out}, "dino": {"weights": dino_file}}
    with_clip = {"clip": clip_file, **VOC, **given}
    made = weclip.memory(voc_world, out=tmp_path / "bank.safetensors", **with_clip)
    assert made.count == 8
    assert made.rows >= 8
    again = {"out": tmp_path / "a.csv", "tags": {"memory": made.out}}
    assert weclip.tag(voc_world, **again, **with_clip).count == 8
    with pytest.raises(weclip.InputError, match="exists; choose another name or add"):
        weclip.memory(voc_world, out=made.out, **with_clip)
    with pytest.raises(weclip.InputError, match="regions are made here, not read; leave it out"):
        weclip.regions(voc_world, out=tmp_path / "more", **VOC, **given)


@pytest.mark.parametrize("function", [weclip.regions, weclip.memory])
def test_flags_of_both_are_true_or_false(function, voc_world, tmp_path):
    with pytest.raises(weclip.InputError, match="resume is of type str; give True or False"):
        function(voc_world, out=tmp_path / "out", resume="no")


def test_checking(voc_world, tmp_path):
    found = weclip.check(voc_world, config="voc", json=tmp_path / "check.json", **VOC)
    assert found.errors == 0
    assert found.record["train"]["images"] == 8
    assert found.warnings == sum(each.severity == "warning" for each in found.findings)
    assert (tmp_path / "check.json").is_file()


GIVEN = {"config": "voc", "out": "out", "clip": "clip.pt"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"train.steps": "many"}, r"changes: train\.steps must be a whole number.*many"),
        ({"train.steps": 1.5}, r"train\.steps must be a whole number"),
        ({"train.steps": None}, r"train\.steps must be a whole number"),
        ({"train.steps": 0}, r"train\.steps"),
        ({"train": {"steps": object()}}, r"train\.steps must be a whole number"),
        ({"train": 3}, "train is a section; its keys are"),
        ({"train.step": 3}, r"unknown key train\.step; did you mean 'steps'"),
        ({"nonsense": 3}, "unknown key nonsense"),
        ({"steps": 3}, r"unknown key steps; did you mean 'train\.steps'\?"),
        ({"": 3}, "unknown key"),
        ({"eval.scales": [1.0, "x"]}, r"eval\.scales must be a list of numbers"),
        ({"eval.flip": "perhaps"}, r"eval\.flip must be true or false"),
        ({"overrides": ["steps"]}, "'steps' is not of the form section.key=value"),
        ({"overrides": "train.steps=3"}, "overrides is of type str; give a list"),
        ({"overwrite": "no"}, "overwrite is of type str; give True or False"),
        ({"progress": 1}, "progress is of type int; give True or False"),
        ({"resume": True, "overwrite": True}, "contradict each other"),
        ({"clip": 3}, "clip is of type int; give a path"),
        ({"out": None}, "out is None; give a path"),
        ({"plugins": "a.py"}, "plugins is of type str; give a list"),
        ({"clip": "nowhere.pt"}, r"nowhere\.pt: no such file"),
        ({"config": "nothing"}, "neither a file nor a preset"),
    ],
)
def test_wrong_arguments_are_named(wrong, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(weclip.InputError, match=said):
        weclip.train(**{"data": "photos", **GIVEN, **wrong})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give either a model, or masks="),
        ({"model": "run", "masks": "a"}, "give either a model, or masks="),
        ({"model": "run", "masks": (), "config": "voc"}, "with a model there is no config"),
        ({"masks": ["a"], "device": "cpu"}, "with masks there is no device"),
        ({"masks": ["a"], "labels": True}, "with masks there is no labels"),
        ({"masks": 3}, "masks is of type int; give a folder"),
    ],
)
def test_models_and_masks_are_not_mixed(given, said, tmp_path):
    with pytest.raises(weclip.InputError, match=said):
        weclip.evaluate(**given, out=tmp_path / "out")


def test_changes_of_a_loaded_model(run_folder):
    model = weclip.load(run_folder, eval={"scales": [0.5, 1]}, **{"eval.flip": True})
    assert model.predictor.scales == (0.5, 1.0)
    assert model.predictor.flip
    with pytest.raises(weclip.InputError, match=r"changes: eval\.flip must be true or false"):
        weclip.load(run_folder, **{"eval.flip": "perhaps"})


def test_nothing_to_check():
    with pytest.raises(weclip.InputError, match="no data: give"):
        weclip.check()
