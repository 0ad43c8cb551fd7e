"""Exported models compute what the model does, or are not kept."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.backbones.tiny_dino import hub_shapes
from tests.end_to_end import worlds
from tests.end_to_end.conftest import clip_file, run_folder, voc_world

import weclip
from weclip.exports.models import formats
from weclip.exports.models.formats import FORMATS, Format
from weclip.inference.onnx.network import OnnxNetwork
from weclip.system.errors import InputError, RunError
from weclip.tasks.load.opening import ModelAt, open_predictor
from weclip.tasks.share.export import ExportOptions, export

__all__ = ["clip_file", "run_folder", "voc_world"]

PROTOCOLS = [
    {"scales": [1.0], "flip": False, "long_side": None},
    {"scales": [0.75, 1.0, 1.5], "flip": True, "long_side": 96},
]
SIZES = [(48, 48), (31, 77), (90, 40), (5, 300), (200, 133)]


@pytest.fixture(scope="module")
def exported(run_folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export(ModelAt(run_folder), path)
    return path


@pytest.fixture(scope="module")
def plus_run(tmp_path_factory, voc_world, clip_file):
    """A short run of WeCLIP+ with a random DINOv2 that has registers."""
    folder = tmp_path_factory.mktemp("plus")
    generator = torch.Generator().manual_seed(0)
    shapes = hub_shapes(width=64, blocks=2, patch=7, grid=5, registers=2)
    state = {name: 0.3 * torch.randn(size, generator=generator) for name, size in shapes.items()}
    torch.save(state, folder / "dino.pth")
    changes = worlds.voc_changes(voc_world, clip_file)
    given = [*changes, f"dino.weights={folder / 'dino.pth'}", "train.steps=2"]
    weclip.train(config="voc-plus", out=folder / "run", overrides=given)
    return folder / "run"


def pictures():
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in SIZES]
    return [
        np.kron(each, np.ones((60, 60, 1), np.uint8))[: size[0], : size[1]]
        for each, size in zip(coarse, SIZES, strict=True)
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_onnx_predicts_what_the_run_does(run_folder, exported, protocol):
    one, other = (weclip.load(each, eval=protocol) for each in (run_folder, exported))
    assert other.class_names == one.class_names
    assert np.array_equal(other.palette, one.palette)
    for ours, theirs in zip(one.stream(pictures()), other.stream(pictures()), strict=True):
        np.testing.assert_allclose(theirs.logits, ours.logits, atol=1e-4)
        assert (theirs.label_map == ours.label_map).mean() > 0.999
        np.testing.assert_allclose(theirs.confidence, ours.confidence, atol=1e-4)


def no_path_is_in(content, run_folder, clip_file):
    for path in (Path(formats.__file__).parent, Path(torch.__file__).parent, run_folder, clip_file):
        assert str(path).encode() not in content


def test_no_path_of_this_machine_is_in_it(exported, run_folder, clip_file):
    no_path_is_in(exported.read_bytes(), run_folder, clip_file)


def test_it_is_tested_as_its_run_is(run_folder, exported):
    one, other = (weclip.load(each).predictor for each in (run_folder, exported))
    assert (other.long_side, other.scales, other.flip) == (one.long_side, one.scales, one.flip)


def test_it_keeps_how_images_are_read_and_tested(run_folder, tmp_path, monkeypatch):
    changed = {"eval": {"long_side": 77}, "data": {"bands": [3, 2, 1], "range": [0, 3000]}}
    done = weclip.export(run_folder, out=tmp_path / "a.onnx", **changed)
    opened = open_predictor(ModelAt(done.path))
    assert opened.config.eval.side == opened.predictor.long_side == 77
    assert opened.config.data.reading.bands == (3, 2, 1)
    assert opened.config.data.reading.range == (0, 3000)
    other = open_predictor(ModelAt(done.path, overrides=["data.bands=[1,2,3]"]))
    assert other.config.data.reading.bands == (1, 2, 3)


def test_confidence_and_probabilities(run_folder, exported):
    one, other = (weclip.load(each).predictor for each in (run_folder, exported))
    for picture in pictures():
        ours, theirs = one.with_confidence(picture), other.with_confidence(picture)
        assert np.abs(ours.confidence.astype(int) - theirs.confidence).max() <= 1
        probable = (each.probabilities(picture) for each in (one, other))
        np.testing.assert_allclose(*probable, atol=1e-4)


@pytest.mark.long
def test_plus_with_registers_of_any_size(plus_run, tmp_path):
    done = export(ModelAt(plus_run), tmp_path / "plus.onnx")
    assert done.largest < 1e-3
    assert done.equal > 0.999
    one, other = (weclip.load(each, eval=PROTOCOLS[0]) for each in (plus_run, done.path))
    for picture in pictures():
        ours, theirs = one.predict(picture), other.predict(picture)
        np.testing.assert_allclose(theirs.logits, ours.logits, atol=1e-3)


@pytest.mark.long
def test_half_of_the_size(run_folder, exported, tmp_path):
    options = ExportOptions(precision="float16")
    done = export(ModelAt(run_folder), tmp_path / "half.onnx", options)
    assert done.size < 0.7 * exported.stat().st_size
    assert 0 < done.largest < 0.1
    assert weclip.load(done.path).predict(pictures()[0]).logits.dtype == np.float32


@pytest.mark.parametrize("choice", ["bf16", "fp16"])
def test_the_file_has_its_own_precision(exported, choice):
    opened = open_predictor(ModelAt(exported))
    assert opened.config.eval.precision == "float32"
    said = rf"model\.onnx: eval\.precision={choice} is asked for, but the file computes in float32"
    with pytest.raises(weclip.InputError, match=said):
        open_predictor(ModelAt(exported, overrides=[f"eval.precision={choice}"]))


@pytest.mark.long
def test_class_ids_come_out_for_use_without_weclip(run_folder, tmp_path):
    done = export(ModelAt(run_folder), tmp_path / "ids.onnx", ExportOptions(output="label_map"))
    image = pictures()[1].transpose(2, 0, 1)[None].astype(np.float32)
    ids = OnnxNetwork(done.path, "cpu")(image)
    plain = weclip.load(run_folder, eval={"scales": [1.0], "flip": False, "long_side": None})
    assert (ids.shape, ids.dtype) == ((1, 31, 77), np.uint8)
    # Of random weights: a hundredth of the pixels are nearer to a tie than two resizes agree.
    assert (ids[0] == plain.predict(pictures()[1]).label_map).mean() > 0.99
    with pytest.raises(InputError, match="exported with --output label_map, for use without"):
        weclip.load(done.path)


def test_a_program_of_pytorch_runs_without_this_package(run_folder, clip_file, tmp_path):
    options = ExportOptions(format="pt2", output="full_logits")
    done = export(ModelAt(run_folder), tmp_path / "model.pt2", options)
    image = pictures()[2].transpose(2, 0, 1)[None].astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    code = """
import sys, json, numpy as np, torch
extra = {"weclip": ""}
program = torch.export.load(sys.argv[1], extra_files=extra)
out = program.module()(torch.from_numpy(np.load(sys.argv[2])))
np.save(sys.argv[3], out.detach().numpy())
assert not any(name.split(".")[0] == "weclip" for name in sys.modules)
assert json.loads(extra["weclip"])["classes"]["names"]
"""
    files = [str(tmp_path / name) for name in ("model.pt2", "image.npy", "out.npy")]
    subprocess.run([sys.executable, "-c", code, *files], check=True, cwd=tmp_path)
    plain = weclip.load(run_folder, eval={"scales": [1.0], "flip": False, "long_side": None})
    expected = plain.predict(pictures()[2]).label_map
    assert (np.load(tmp_path / "out.npy")[0].argmax(0) == expected).mean() > 0.999
    assert done.largest < 1e-4
    with zipfile.ZipFile(done.path) as archive:
        for name in archive.namelist():
            no_path_is_in(archive.read(name), run_folder, clip_file)
    with pytest.raises(InputError, match=r"a program for PyTorch alone \(torch\.export\.load\)"):
        weclip.load(done.path)


def test_predict_writes_the_same_masks(run_folder, exported, voc_world, tmp_path):
    found = {}
    for name, model in (("run", run_folder), ("onnx", exported)):
        images = voc_world / "JPEGImages"
        done = weclip.predict(images, model=model, out=tmp_path / name, confidence=True)
        found[name] = {path.name: path.read_bytes() for path in sorted(done.masks.iterdir())}
    assert found["run"] == found["onnx"]
    record = json.loads((tmp_path / "onnx" / "run.json").read_text())
    assert record["model"]["path"] == str(exported)
    assert record["clip"]["sha256"]


WRONG = {
    "shifted": lambda logits: logits + np.float32(0.5),
    "not finite": lambda logits: np.full_like(logits, np.nan),
    "of another size": lambda logits: logits[..., :1],
}


@pytest.mark.parametrize("how", WRONG)
def test_what_computes_something_else_is_not_kept(run_folder, tmp_path, monkeypatch, how):
    def opened(path):
        return lambda image: WRONG[how](model(torch.from_numpy(image)).detach().numpy())

    model = ModelAt(run_folder).open().method
    monkeypatch.setitem(
        FORMATS, "onnx", Format(".onnx", (), lambda graph, header, path: path.touch(), opened)
    )
    with pytest.raises(RunError, match="it is not kept"):
        export(ModelAt(run_folder), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_traced_is_one_line(run_folder, tmp_path, monkeypatch):
    def fails(graph, header, path):
        raise ValueError("no aten::special")

    monkeypatch.setitem(FORMATS, "onnx", Format(".onnx", (), fails, OnnxNetwork))
    with pytest.raises(RunError, match=r"PyTorch cannot export this model as onnx \(.*special"):
        export(ModelAt(run_folder), tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("a.pt", {}, r"--out .*a\.pt: a file of --format onnx ends in \.onnx"),
        (
            "a.onnx",
            {"format": "coreml"},
            "--format coreml: there is none of this name",
        ),
        ("a.onnx", {"output": "masks"}, "--output masks: must be one of logits"),
        ("a.onnx", {"precision": "int8"}, "--precision int8: must be one of float32"),
        ("there.onnx", {}, "there is a file already; add --overwrite"),
        ("file/a.onnx", {}, "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_said_before_the_work(tmp_path, name, options, said):
    (tmp_path / "there.onnx").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=said):
        export(ModelAt("no such run"), tmp_path / name, ExportOptions(**options))


def test_missing_packages_are_named(tmp_path, monkeypatch):
    kind = Format(".onnx", ("no_such_package",), formats.write_onnx, formats.open_pt2)
    monkeypatch.setitem(FORMATS, "onnx", kind)
    with pytest.raises(InputError, match=r"needs no_such_package: pip install 'weclip\[export\]'"):
        export(ModelAt("no such run"), tmp_path / "a.onnx")


def test_what_is_fixed_in_a_file_cannot_be_changed(exported):
    with pytest.raises(InputError, match=r"train\.steps is fixed in an ONNX model; only eval"):
        weclip.load(exported, overrides=["train.steps=3"])
    with pytest.raises(InputError, match="an ONNX model holds all it needs; leave out --clip"):
        weclip.load(exported, clip="clip.pt")
    with pytest.raises(InputError, match="device cpu:7: not one that onnxruntime can use"):
        weclip.load(exported, device="cpu:7")
    with pytest.raises(InputError, match="device tpu: not one that onnxruntime can use"):
        weclip.load(exported, device="tpu")
    with pytest.raises(InputError, match="an ONNX model predicts only; give the run"):
        weclip.evaluate(model=exported, out="nowhere", data="nothing")
    assert weclip.load(exported, eval={"long_side": 64}).predictor.long_side == 64
