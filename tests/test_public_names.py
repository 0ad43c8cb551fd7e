"""The public names: imported late, typed, and each of them used as a user would."""

import os
import subprocess
import sys

import pytest
from tests.test_layout import ROOT

import weclip

IMPORTS = """
import sys

def slow():
    return [name for name in ("torch", "numba", "accelerate") if name in sys.modules]

import weclip
weclip.InputError, dir(weclip)
print(slow())
weclip.check
print(slow())
weclip.load, weclip.Segmentation
print("numba" in sys.modules)
"""

SCRIPT = """
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import weclip


def first_hour(photos: Path, clip: str) -> weclip.TrainResult:
    found: weclip.CheckResult = weclip.check(photos, json="check.json", progress=True)
    if found.errors or found.warnings:
        for finding in found.findings:
            text: str = finding.severity + finding.text + finding.examples[0]
            raise weclip.InputError(text)
    tags: weclip.TagResult = weclip.tag(photos, clip=clip, out="tags.csv", classes="voc")
    labels: weclip.LabelResult = weclip.label(
        photos, clip=clip, out=Path("labels"), tags=tags.out, export=["coco"], label={"crf": True}
    )
    cut: weclip.RegionsResult = weclip.regions(photos, out="cut", regions={"source": "graph"})
    bank: weclip.MemoryResult = weclip.memory(photos, clip=clip, out="bank.safetensors")
    count: int = labels.count + tags.count + cut.count + bank.count + bank.rows
    try:
        return weclip.train(
            data=photos,
            clip=clip,
            out="run",
            resume=True,
            overrides=["train.steps=30"],
            train={"batch_size": count},
        )
    except weclip.RunError as error:
        raise SystemExit(str(error)) from error


def use(run: weclip.TrainResult) -> None:
    scored: weclip.EvaluateResult = weclip.evaluate(run.model, out="scores", device="cpu")
    compared = weclip.evaluate(masks={"mine": "a", "theirs": Path("b")}, data="photos", out="two")
    miou: float = scored.scores["Segmentation"]["miou"] + compared.scores["mine"]["miou"]
    done: weclip.PredictResult = weclip.predict(["a.jpg", Path("b")], model=run.model, out="masks")
    where: Path = done.masks
    model: weclip.SegmentationModel = weclip.load(run.out, overrides={"eval.crf": True})
    names: tuple[str, ...] = model.class_names
    one: weclip.Segmentation = model.predict("a.jpg")
    for image in (where, Image.new("RGB", (9, 9)), np.zeros((9, 9, 3), np.uint8)):
        one = model.predict(image)
    many: Iterator[weclip.Segmentation] = model.predict([Path("a.jpg"), Path("b.jpg")])
    many = model.predict(Image.open(path) for path in ("a.jpg",))
    many = model.stream("photos", batch_size=1)
    for each in many:
        label_map: NDArray[np.uint8] = each.label_map
        sure: NDArray[np.float32] = each.confidence
        array = np.asarray(each)
        chances = each.probabilities("float16").mean() + sure.mean() + label_map.max()
        print(miou, names, chances, array.shape, each.size, each.class_names)
        for found in each.classes:
            print(found.name, found.id, found.share, found.confidence)
        for name, polygons in each.polygons():
            print(name, [polygon.shape for polygon in polygons])
        each.overlay(0.5).save("overlay.png")
        each.save("mask.png")
    written: weclip.ExportResult = weclip.export(run.out, out="model.onnx")
    whole: weclip.BundleResult = weclip.bundle(run.out, out="model", precision="float32")
    sent: weclip.PushResult = weclip.push(whole.out, "me/photos", private=True)
    print(whole.size, sent.repository, sent.commit, sent.url)
    config: weclip.Config = weclip.load_config("voc", ["data.root=a", "clip.weights=b"])
    print(config.train.steps, one, weclip.__version__)
"""


def test_dir_shows_the_public_names():
    assert dir(weclip) == sorted(weclip.__all__)
    for name in weclip.__all__:
        assert getattr(weclip, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        weclip.nonsense  # noqa: B018


def test_what_is_slow_is_imported_late():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "[]", "False"]


def test_the_script_uses_every_public_name():
    unused = [name for name in weclip.__all__ if f"weclip.{name}" not in SCRIPT]
    assert not unused


@pytest.mark.long
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("", "", "Success"),
        ("found.errors", "found.mistakes", '"CheckResult" has no attribute "mistakes"'),
        ('out="run"', "out=3", 'Argument "out" to "train" has incompatible type "int"'),
        ('model.predict("a.jpg")', "model.predict(3)", "No overload variant"),
    ],
)
def test_mypy_strict_understands_a_users_script(right, wrong, said, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace(right, wrong) if right else SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(script)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=mypy_environment()
    )
    assert said in done.stdout
    assert (done.returncode == 0) == (not right)


def mypy_environment():
    return os.environ | {"MYPYPATH": str(ROOT / "src")}
