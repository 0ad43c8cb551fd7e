"""The whole command on miniature archives in their real layouts, from a local server."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.prepare.builders import SIZE, mask_of
from tests.prepare.server import Fault

from weclip.cli import app as cli
from weclip.data.dataset import open_dataset
from weclip.data.masks.colours import voc_palette
from weclip.data.masks.mask_files import read_mask

AUG = ["2007_1", "2007_2", "2008_5", "2008_6"]


def state(folder: Path) -> dict[str, tuple[int, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_size) for p in files}


def test_voc(prepare, tmp_path):
    root = tmp_path / "data"
    line = prepare("voc", root)
    voc = root / "VOCdevkit" / "VOC2012"
    assert line == (
        f"weclip train --config voc data.root={voc} clip.weights={root}/ViT-B-16.pt --out runs/voc"
    )
    classes = "voc"
    assert [
        s.name for s in open_dataset("voc", root, classes=classes).read_split("train_aug")
    ] == AUG
    assert [s.name for s in open_dataset("voc", voc, classes=classes).read_masked_split("val")] == [
        "2007_3",
        "2007_4",
    ]
    for sample in open_dataset("voc", root, classes=classes).read_masked_split("train_aug"):
        origin = "voc" if sample.name in ("2007_1", "2007_2") else "sbd"
        np.testing.assert_array_equal(read_mask(sample.mask), mask_of(sample.name, origin))
        with Image.open(sample.mask) as image:
            assert image.getpalette() == voc_palette()
    aug = voc / "SegmentationClassAug"
    assert sorted(p.stem for p in aug.iterdir()) == sorted([*AUG, "2007_3", "2007_4"])
    np.testing.assert_array_equal(read_mask(aug / "2007_3.png"), mask_of("2007_3", "voc"))
    assert not (voc / "SegmentationObject").exists()
    assert not (voc / "ImageSets" / "Main").exists()


def test_coco(prepare, tmp_path):
    root = tmp_path / "data"
    line = prepare("coco", root)
    assert line.startswith(f"weclip train --config coco data.root={root}/MSCOCO clip.weights=")
    expected = np.zeros(SIZE[::-1], np.uint8)
    expected[1:6, 1:9] = 1
    expected[2:4, 2:5] = 2
    crowd = np.zeros(SIZE[::-1], np.uint8)
    crowd[1:3, 1:4] = 3
    for split in ("train", "val"):
        samples = open_dataset("coco", root, classes="coco").read_masked_split(split)
        names = [f"COCO_{split}2014_00000000000{i}" for i in (1, 3)]
        assert [s.name for s in samples] == names
        np.testing.assert_array_equal(read_mask(samples[0].mask), expected)
        np.testing.assert_array_equal(read_mask(samples[1].mask), crowd)
        listed = root / "MSCOCO" / "ImageSets" / "Segmentation" / f"{split}.txt"
        assert listed.read_text().split() == names
    assert not list((root / "MSCOCO" / "annotations").glob("captions*"))


@pytest.mark.parametrize("what", ["voc", "coco", "clip", "dino"])
def test_a_second_run_changes_and_fetches_nothing(prepare, server, tmp_path, what):
    root = tmp_path / "data"
    first = prepare(what, root)
    before, asked = state(root), len(server.requests)
    assert prepare(what, root) == first
    assert state(root) == before
    assert len(server.requests) == asked
    if what not in ("clip", "dino"):  # the archives are not needed any more
        for path in (root / "downloads").glob("*.[tz]*"):
            path.unlink()
        before = state(root)
        prepare(what, root)
        assert state(root) == before
        assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("what", "files"),
    [
        ("voc", ["SegmentationClassAug/2008_5.png", "JPEGImages/2007_4.jpg"]),
        ("voc", ["ImageSets/Segmentation/train_aug.txt"]),
        ("coco", ["SegmentationClass/val/000000000003.png", "annotations/instances_val2014.json"]),
        ("coco", ["ImageSets/Segmentation/train.txt"]),
    ],
)
def test_only_what_is_missing_is_done_again(prepare, tmp_path, what, files):
    root = tmp_path / "data"
    prepare(what, root)
    before = state(root)
    folder = next(p for p in (root / "VOCdevkit/VOC2012", root / "MSCOCO") if p.is_dir())
    contents = [(folder / name).read_bytes() for name in files]
    for name in files:
        (folder / name).unlink()
    prepare(what, root)
    assert [(folder / name).read_bytes() for name in files] == contents
    changed = {name for name, value in state(root).items() if before[name] != value}
    again = {str((folder / name).relative_to(root)) for name in files}
    assert changed - again <= {  # receipts and lists of what was done again
        "downloads/voc.unpacked.json",
        "downloads/coco_annotations.unpacked.json",
        "MSCOCO/ImageSets/Segmentation/val.txt",
    }


def test_broken_connections_on_the_way(prepare, server, tmp_path):
    server.faults = [Fault(cut=5000), Fault(cut=1), Fault(status=503), Fault(), Fault(cut=100)]
    prepare("voc", tmp_path / "data")
    assert len(open_dataset("voc", tmp_path / "data", classes="voc").read_split("train_aug")) == 4


def test_coco_void_border(prepare, tmp_path):
    root = tmp_path / "data"
    prepare("coco", root, void_border=True)
    mask = read_mask(root / "MSCOCO/SegmentationClass/train/000000000003.png")
    expected = np.zeros(SIZE[::-1], np.uint8)
    expected[0:6, 0:7] = 255
    expected[1:3, 1:4] = 3
    np.testing.assert_array_equal(mask, expected)


def test_files_fetched_by_hand(cli_run, table, server, tmp_path, capsys):
    by_hand = tmp_path / "by hand"
    by_hand.mkdir()
    for source in table.values():
        (by_hand / source.name).write_bytes(server.files[f"/{source.name}"])
    files = {
        "voc": ["VOCtrainval_11-May-2012.tar", "benchmark.tgz"],
        "coco": ["train2014.zip", "val2014.zip", "annotations_trainval2014.zip"],
        "dino": ["dinov2_vits14_pretrain.pth"],
        "clip": ["ViT-B-16.pt"],
    }
    for what, names in files.items():
        given = [part for name in names for part in ("--from", str(by_hand / name))]
        root = str(tmp_path / "data")
        assert cli_run(["prepare", what, "--root", root, *given]) == 0
        shown = capsys.readouterr().out.strip().splitlines()
        assert shown[-1].startswith("weclip train --config ")
        notice = f"CLIP's weights are not there yet: weclip prepare clip --root {root}"
        assert (notice in shown) == (what != "clip")
        sizes = {"voc": ["train_aug: 4 images", "val: 2 images"], "coco": ["train: 2 images"]}
        assert {*sizes.get(what, ())} <= {*shown}
        assert ("no errors" in "".join(shown)) == (what in sizes)
    assert server.requests == []
    assert state(by_hand).keys() == {source.name for source in table.values()}


def test_what_was_prepared_is_checked(cli_run, tmp_path, capsys):
    root = tmp_path / "data"
    assert cli_run(["prepare", "voc", "--root", str(root)]) == 0
    mask = root / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "2007_3.png"
    mask.write_bytes(bytes(mask.stat().st_size))
    capsys.readouterr()
    assert cli_run(["prepare", "voc", "--root", str(root)]) == 2
    shown = capsys.readouterr().out
    assert f"{mask}: " in shown
    assert "1 error, " in shown
    assert shown.splitlines()[-1].startswith("weclip train --config voc ")


BAD = {
    "unknown": (lambda p: ["vocc"], "known: voc, coco, clip, dino, mit. did you mean 'voc'?"),
    "no such CLIP": (lambda p: ["clip", "--name", "ViT-B/61"], "did you mean 'ViT-B/16'?"),
    "no such DINO": (
        lambda p: ["dino", "--name", "dinov2_vits41"],
        "dinov2_vits14, dinov2_vitb14, dinov2_vitl14, dinov2_vits14_reg, dinov2_vitb14_reg, "
        "dinov2_vitl14_reg, or OWNER/NAME of the Hugging Face hub. did you mean 'dinov2_vits14'?",
    ),
    "a CLIP as DINO": (lambda p: ["dino", "--name", "ViT-B/16"], "--name ViT-B/16: unknown"),
    "no such MiT": (lambda p: ["mit", "--name", "mit-b1"], "did you mean 'nvidia/mit-b1'?"),
    "MiT by hand": (
        lambda p: ["mit", "--from", f"{p}/ViT-B-16.pt"],
        "--from is not for mit; give the file as mit.weights=FILE",
    ),
    "by hand from the hub": (
        lambda p: ["dino", "--name", "facebook/dinov2-small", "--from", f"{p}/ViT-B-16.pt"],
        "--from is for Meta's files; leave it out",
    ),
    "border of VOC": (lambda p: ["voc", "--void-border"], "--void-border is for coco only"),
    "no file": (lambda p: ["voc", "--from", f"{p}/benchmark.tgz"], "benchmark.tgz: no such file"),
    "other file": (
        lambda p: ["voc", "--from", f"{p}/benchmark.tar"],
        "not a file that is needed here; these are, by name: VOCtrainval_11-May-2012.tar, "
        "benchmark.tgz. did you mean 'benchmark.tgz'?",
    ),
    "file of another set": (
        lambda p: ["voc", "--from", f"{p}/ViT-B-16.pt"],
        "not a file that is needed here",
    ),
    "wrong content": (lambda p: ["clip", "--from", f"{p}/ViT-B-16.pt"], "is not the published"),
    "root is a file": (lambda p: ["voc", "--root", f"{p}/ViT-B-16.pt"], "is a file; give a folder"),
}


@pytest.mark.parametrize(("make", "expected"), BAD.values(), ids=list(BAD))
def test_refused_before_anything_is_fetched(cli_run, server, tmp_path, capsys, make, expected):
    (tmp_path / "benchmark.tar").write_bytes(b"x")
    (tmp_path / "ViT-B-16.pt").write_bytes(b"x")
    arguments = make(tmp_path)
    if "--root" not in arguments:
        arguments += ["--root", str(tmp_path / "data")]
    assert cli_run(["prepare", *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("weclip: error: ")
    assert message.count("\n") == 1
    assert expected in message
    assert not (tmp_path / "data").exists()
    assert server.requests == []


def refused(cli_run, capsys, *arguments: object) -> str:
    capsys.readouterr()
    assert cli_run(["prepare", *map(str, arguments)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize(("what", "package"), [("voc", "scipy"), ("coco", "pycocotools")])
def test_a_missing_extra_is_said_first(
    cli_run, server, tmp_path, capsys, monkeypatch, what, package
):
    monkeypatch.setattr(
        "weclip.prepare.extra.find_spec", lambda name: None if name == package else find_spec(name)
    )
    message = refused(cli_run, capsys, what, "--root", tmp_path / "data")
    assert f'needs {package}, not installed here; pip install "weclip[prepare]"' in message
    assert not (tmp_path / "data").exists()
    assert server.requests == []


def test_masks_made_otherwise_are_not_mixed(cli_run, tmp_path, capsys):
    root = tmp_path / "data"
    assert cli_run(["prepare", "coco", "--root", str(root)]) == 0
    before = state(root)
    message = refused(cli_run, capsys, "coco", "--root", root, "--void-border")
    assert "made with the other choice of --void-border" in message
    assert state(root) == before
    (root / "MSCOCO/SegmentationClass/prepared.json").unlink()
    message = refused(cli_run, capsys, "coco", "--root", root)
    assert "made by something else; move it away" in message


def test_other_weights_in_the_place_are_kept(cli_run, tmp_path, capsys):
    (tmp_path / "ViT-B-16.pt").write_bytes(b"mine")
    message = refused(cli_run, capsys, "clip", "--root", tmp_path)
    assert "is not the published ViT-B-16.pt" in message
    assert (tmp_path / "ViT-B-16.pt").read_bytes() == b"mine"


def test_an_error_in_a_worker_is_one_line(cli_run, tmp_path, capsys):
    root = tmp_path / "data"
    assert cli_run(["prepare", "voc", "--root", str(root)]) == 0
    (root / "VOCdevkit/VOC2012/SegmentationClassAug/2008_6.png").unlink()
    mat = root / "downloads/benchmark_RELEASE/dataset/cls/2008_6.mat"
    mat.write_bytes(b"\0" * mat.stat().st_size)
    message = refused(cli_run, capsys, "voc", "--root", root)
    assert "2008_6.mat: not a mask of SBD" in message


def test_broken_instances_are_named(cli_run, tmp_path, capsys):
    root = tmp_path / "data"
    assert cli_run(["prepare", "coco", "--root", str(root)]) == 0
    (root / "MSCOCO/SegmentationClass/val/000000000001.png").unlink()
    path = root / "MSCOCO/annotations/instances_val2014.json"
    path.write_bytes(b"{".ljust(path.stat().st_size))
    message = refused(cli_run, capsys, "coco", "--root", root)
    assert "instances_val2014.json: not valid JSON" in message


def test_help(capsys):
    assert cli.run(["prepare", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "For example: weclip prepare voc --root data" in shown
    assert all(option in shown for option in ("--root", "--from", "--name", "--void-border"))
