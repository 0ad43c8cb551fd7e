"""A user's mistake is one line on standard error and exit code 2; nothing is lost or left over."""

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.end_to_end import worlds

from weclip import cli


class Place:
    """A folder with everything that a mistake needs."""

    def __init__(self, root: Path, clip: Path, run: Path) -> None:
        self.root, self.clip, self.run = root, clip, run
        self.out = root / "out"
        self.voc = worlds.write_voc(root / "VOC2012")
        self.file = root / "file.txt"
        self.file.write_text("text\n")
        self.photo = self.voc / "JPEGImages" / "val_8.png"

    def train(self, *changes: object, config: object = "voc", out: Path | None = None) -> list[str]:
        base = worlds.voc_changes(self.voc, self.clip)
        where = ["--config", str(config), "--out", str(out or self.out)]
        return ["train", *where, *base, *map(str, changes)]

    def evaluate(self, *rest: object, model: Path | None = None) -> list[str]:
        return [
            "evaluate",
            *("--model", str(model or self.run), "--out", str(self.out)),
            *(f"data.root={self.voc}", *map(str, rest)),
        ]

    def predict(self, *rest: object, model: Path | None = None) -> list[str]:
        where = ["--model", str(model or self.run), "--out", str(self.out)]
        return ["predict", *where, *map(str, rest)]

    def write(self, name: str, text: str) -> Path:
        (self.root / name).write_text(text)
        return self.root / name

    def without(self, *parts: str) -> None:
        self.voc.joinpath(*parts).unlink()

    def truncated_model(self) -> Path:
        content = (self.run / "model.safetensors").read_bytes()
        (self.root / "model.safetensors").write_bytes(content[:1000])
        return self.root / "model.safetensors"

    def resnet(self) -> Path:
        save_file({"a": torch.zeros(1)}, self.root / "foreign.safetensors")
        return self.root / "foreign.safetensors"


@pytest.fixture
def place(tmp_path: Path, clip_file: Path, run_folder: Path) -> Place:
    return Place(tmp_path, clip_file, run_folder)


COMMAND_LINES = {
    "no option": (lambda p: ["train"], "Missing option '--out'"),
    "no data named": (lambda p: ["train", "--out", str(p.out)], "no data: give a folder of images"),
    "no class list": (lambda p: p.train("data.classes=null"), "give data.classes=voc"),
    "no out": (lambda p: ["train", "--config", "voc"], "Missing option '--out'"),
    "unknown command": (lambda p: ["fit"], "No such command 'fit'"),
    "unknown option": (lambda p: p.train("--fast"), "No such option: --fast"),
    "bad seed": (lambda p: ["demo", "--out", str(p.out), "--seed", "-1"], "--seed"),
    "huge seed": (lambda p: ["demo", "--out", str(p.out), "--seed", "4294967296"], "train.seed"),
    "unknown preset": (lambda p: p.train(config="vox"), "did you mean 'voc'"),
    "not YAML": (lambda p: p.train(config=p.write("c.yaml", "{{")), "not valid YAML"),
    "unknown key": (lambda p: p.train("train.stepz=3"), "did you mean 'steps'"),
    "wrong type": (lambda p: p.train("train.steps=many"), "must be a whole number"),
    "out of range": (lambda p: p.train("train.batch_size=0"), "more than 0"),
    "no equals sign": (lambda p: p.train("train.steps"), "section.key=value"),
    "nothing given": (
        lambda p: ["train", "--config", "voc", "--out", str(p.out)],
        "no value for clip.weights, data.root",
    ),
    "resume and overwrite": (lambda p: p.train("--resume", "--overwrite"), "contradict"),
    "nothing to resume": (lambda p: p.train("--resume"), "no checkpoint to resume from"),
    "no data": (lambda p: p.train("data.root=nowhere"), "nowhere: data root not found"),
    "no layout": (lambda p: p.train(f"data.root={p.root}/out2"), "data root not found"),
    "wrong layout": (lambda p: p.train("data.format=coco"), "available: none"),
    "wrong split": (lambda p: p.train("data.train_split=test"), "available: train, val"),
    "unknown class list": (lambda p: p.train("data.classes=vocc"), "did you mean 'voc'"),
    "no tags file": (lambda p: p.train("data.tags_file=t.csv"), "tags file 't.csv' not found"),
    "malformed tags file": (
        lambda p: p.train(f"data.tags_file={p.write('t.csv', 'image,tags{}train_0.png,birb')}"),
        "field 'tags' is missing",
    ),
    "unknown tag": (
        lambda p: p.train(f"data.tags_file={p.write('t.csv', 'image,tags' + chr(10) + 'a,birb')}"),
        "line 2: unknown class 'birb'; did you mean 'bird'",
    ),
    "empty tags file": (lambda p: p.train(f"data.tags_file={p.write('t.csv', '')}"), "t.csv"),
    "missing image": (
        lambda p: p.without("JPEGImages", "train_0.png") or p.train(),
        "the first is 'train_0'",
    ),
    "crop of no whole patches": (
        lambda p: p.train("data.crop_size=50"),
        "not a multiple of the CLIP's patch size 8; use 48 or 56",
    ),
    "no CLIP": (lambda p: p.train("clip.weights=x.pt"), "x.pt: no such file or folder"),
    "not a CLIP": (lambda p: p.train(f"clip.weights={p.resnet()}"), "not a whole ViT CLIP"),
    "not weights": (lambda p: p.train(f"clip.weights={p.file}"), "file.txt"),
    "fp16 on a CPU": (lambda p: p.train("train.precision=fp16"), "needs a GPU"),
    "path too long": (lambda p: p.train(out=p.root / ("x" * 300)), "xxx: File name too long"),
    "out is a file": (lambda p: p.train(out=p.file), "is a file; give a folder"),
    "out below a file": (lambda p: p.train(out=p.file / "x"), "cannot be made"),
    "out is foreign": (lambda p: p.train("--overwrite", out=p.voc), "holds other files"),
    "no model": (lambda p: p.evaluate(model=p.root), "no such model file"),
    "truncated model": (lambda p: p.evaluate(model=p.truncated_model()), "not a safetensors"),
    "foreign model": (lambda p: p.evaluate(model=p.clip), "not a weclip model"),
    "other decoder": (lambda p: p.evaluate("decoder.width=32"), "its decoder does not fit"),
    "no split to score": (lambda p: p.evaluate("data.eval_split=null"), "data.eval_split is null"),
    "no mask": (
        lambda p: p.without("SegmentationClass", "val_8.png") or p.evaluate(),
        "1 of 3 masks missing, the first is 'val_8'",
    ),
    "no input": (lambda p: p.predict(), "Missing argument 'IMAGES"),
    "input missing": (lambda p: p.predict("none.jpg"), "none.jpg does not exist"),
    "input no image": (lambda p: p.predict(p.file), "is not an image"),
    "empty pattern": (lambda p: p.predict(f"{p.root}/*.jpg"), "holds no image"),
    "bad change": (lambda p: p.predict(p.photo, "--set", "eval.crf"), "section.key=value"),
    "two inputs, one output": (
        lambda p: p.predict(p.photo, p.voc / "SegmentationClass" / "val_8.png"),
        "would both write val_8.png",
    ),
}


def run_refused(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("weclip: error: ")
    assert message.count("\n") == 1
    assert message.endswith("\n")
    assert expected in message


@pytest.mark.parametrize(("make", "expected"), COMMAND_LINES.values(), ids=list(COMMAND_LINES))
def test_refused_before_anything_is_written(place, make, expected, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = make(place)
    before = worlds.folder_content(place.root)
    run_refused(arguments, expected, capsys)
    assert worlds.folder_content(place.root) == before
    assert not place.out.exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_named_during_training(place, workers, capsys):
    for path in (place.voc / "JPEGImages").glob("train_*.png"):
        path.write_bytes(path.read_bytes()[:200])
    run_refused(place.train(f"data.workers={workers}"), "image cannot be read", capsys)
    assert not (place.out / "model.safetensors").exists()


def test_a_broken_image_is_named_during_prediction(place, capsys):
    place.photo.write_bytes(b"not an image")
    run_refused(place.predict(place.photo), "val_8.png: image cannot be read", capsys)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (Image.new("L", (7, 5)), "val_8.png: mask is 7 x 5 but its image"),
        (Image.new("L", (48, 48), 99), r"mask has class ids [99]"),
        (Image.new("RGB", (48, 48), (1, 2, 3)), "unknown colour #010203, [1, 2, 3], on 100 %"),
    ],
)
def test_a_wrong_mask_is_named_during_evaluation(place, mask, expected, capsys):
    mask.save(place.voc / "SegmentationClass" / "val_8.png")
    run_refused(place.evaluate(), expected, capsys)
    assert not (place.out / "evaluation.json").exists()


def test_crf_that_is_not_installed(place, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    run_refused(place.evaluate("eval.crf=true"), "weclip[crf]", capsys)


def test_diverging_is_one_line_and_exit_code_1(place, capsys):
    code = cli.run(place.train("optim.learning_rate=1e30", "optim.warmup_steps=0"))
    message = capsys.readouterr().err
    assert code == 1
    assert message.startswith("weclip: error: step ")
    assert "optim.learning_rate" in message
    assert message.count("\n") == 1
