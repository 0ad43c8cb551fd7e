"""Every finding is made by hand in a tiny data set; the clean one has none of them."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.builders import write_mask

from weclip.data.classes import ClassList
from weclip.data.dataset import open_dataset
from weclip.data.images.decoding import read_image
from weclip.data.images.full_images import full_images
from weclip.data.inspection import file_facts
from weclip.data.inspection.file_facts import facts_of
from weclip.data.inspection.findings import KINDS, Report, Splits, make_report
from weclip.system.errors import InputError

TAGS = {
    "t/1.png": "cat",
    "t/2.png": "cat;dog",
    "t/3.png": "dog;traffic light;cat",
    "v/1.png": "dog;cat",
    "v/2.png": "traffic light",
}
"""Images of the splits train and val, named by their folders, with tags."""


def noise(path: Path, seed: int, size: tuple[int, int] = (12, 8), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_tags(root: Path, tags: dict[str, str]) -> None:
    rows = [f"{name},{text},{'train' if name[0] == 't' else 'val'}" for name, text in tags.items()]
    (root / "tags.csv").write_text("\n".join(["image,tags,split", *rows]))


def write_world(root: Path) -> Path:
    for seed, name in enumerate(TAGS):
        noise(root / name, seed, size=(12 + seed, 8))
    for seed, name in ((3, "v/1"), (4, "v/2")):
        write_mask(root / "masks" / f"{name}.png", (12 + seed, 8), class_id=3)
    write_tags(root, TAGS)
    return root


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return write_world(tmp_path / "world")


def read_world(root: Path, pets: ClassList, eval_split: str = "val") -> Splits:
    dataset = open_dataset("folder", root, classes=pets, tags_file="tags.csv")
    return Splits(
        "train",
        dataset.read_split("train"),
        eval_split,
        dataset.read_masked_split(eval_split),
        unlisted=dataset.unlisted_images(),
    )


def report_of(splits: Splits, pets: ClassList, processes: int = 1) -> Report:
    files = splits.files()
    with facts_of(files, num_classes=pets.num_classes, processes=processes) as found:
        facts = {path: each for (path, _), each in zip(files, found, strict=True)}
    return make_report(splits, facts, pets.names)


def findings(root: Path, pets: ClassList) -> dict[str, tuple[str, ...]]:
    report = report_of(read_world(root, pets), pets)
    return {finding.kind: finding.examples for finding in report.findings}


def test_a_clean_data_set_has_no_finding(world: Path, pets: ClassList):
    assert findings(world, pets) == {}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def tags(**changes: str) -> Callable[[Path], None]:
    """Change tags; `t1` stands for t/1.png."""
    renamed = {f"{name[0]}/{name[1]}.png": text for name, text in changes.items()}
    return lambda root: write_tags(root, TAGS | renamed)


def turn(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(root / "v/1.png", 3, size=(15, 8), exif=exif)


FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated image": (
        "unreadable_images",
        lambda root: truncate(root / "t/2.png"),
        "t/2.png: image cannot be read (",
    ),
    "text for an image": (
        "unreadable_images",
        lambda root: (root / "v/2.png").write_text("hello"),
        "v/2.png: image cannot be read (no known image format)",
    ),
    "truncated mask": (
        "unreadable_masks",
        lambda root: (root / "masks/v/2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 50),
        "masks/v/2.png: mask is",
    ),
    "unknown colours in a mask": (
        "unknown_mask_ids",
        lambda root: noise(root / "masks/v/2.png", 0, size=(16, 8)),
        "v/2.png: mask has the unknown colour #",
    ),
    "mask of 16 bits": (
        "unreadable_masks",
        lambda root: Image.new("I;16", (16, 8)).save(root / "masks/v/2.png"),
        "with mode I;16",
    ),
    "transparent mask": (
        "unreadable_masks",
        lambda root: Image.new("RGBA", (16, 8)).save(root / "masks/v/2.png"),
        "mask is transparent on 100 % of its pixels",
    ),
    "unknown mask id": (
        "unknown_mask_ids",
        lambda root: write_mask(root / "masks/v/2.png", (16, 8), class_id=4),
        "v/2.png: mask has class ids [4]; allowed are 0 to 3 and 255",
    ),
    "mask of another size": (
        "wrong_mask_sizes",
        lambda root: write_mask(root / "masks/v/2.png", (8, 16)),
        "v/2.png is 16 x 8",
    ),
    "duplicate": (
        "duplicate_images",
        lambda root: shutil.copy(root / "t/1.png", root / "t/2.png"),
        "t/2 is t/1, with other tags",
    ),
    "leak": (
        "leaked_images",
        lambda root: shutil.copy(root / "v/1.png", root / "t/2.png"),
        "v/1 is t/2",
    ),
    "class without training image": (
        "untrained_classes",
        tags(t3="dog;cat", v2="dog"),
        "traffic light",
    ),
    "class not scored": (
        "one_sided_classes",
        tags(v2="dog"),
        "traffic light (only in train)",
    ),
    "no tags": ("untagged_images", tags(t1=""), "t/1"),
    "unlisted": ("unlisted_images", lambda root: noise(root / "new/x.JPEG.png", 9), "new/x.JPEG"),
    "turned": ("turned_images", turn, "v/1"),
    "8 bits saved as 16": (
        "dark_images",
        lambda root: Image.fromarray(np.full((8, 13), 255, np.uint16)).save(root / "t/2.png"),
        "t/2",
    ),
    "EXIF of two bytes": (
        "complaints",
        lambda root: noise(
            root / "t/2.png", 1, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00"
        ),
        "t/2: Corrupt EXIF data.",
    ),
}


@pytest.mark.parametrize(("kind", "spoil", "expected"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_found_alone(world: Path, pets: ClassList, kind, spoil, expected):
    spoil(world)
    found = findings(world, pets)
    assert list(found) == [kind]
    (example,) = found[kind]
    assert expected in example


def test_every_kind_has_a_test():
    assert {kind for kind, _, _ in FAULTS.values()} == KINDS.keys() - {"no_scores"}


def test_a_class_to_score_that_is_not_trained_has_two_findings(world: Path, pets: ClassList):
    tags(t3="dog;cat")(world)
    found = findings(world, pets)
    assert found["untrained_classes"] == ("traffic light",)
    assert found["one_sided_classes"] == ("traffic light (only in val)",)


def test_a_reason_for_no_scores_is_a_warning(world: Path, pets: ClassList):
    train = read_world(world, pets).train
    report = report_of(Splits("train", train, "val", no_scores="masks: not found"), pets)
    assert report.eval is None
    ((kind, examples, severity),) = [(f.kind, f.examples, f.severity) for f in report.findings]
    assert (kind, examples, severity) == ("no_scores", ("masks: not found",), "warning")


def test_scoring_on_the_training_split_is_no_leak(world: Path, pets: ClassList):
    write_mask(world / "masks/t/1.png", (12, 8))
    report = report_of(read_world(world, pets, eval_split="train"), pets)
    assert {finding.kind for finding in report.findings} == {"one_sided_classes"}


def test_two_broken_files_are_no_duplicates(world: Path, pets: ClassList):
    for name in ("t/1.png", "t/2.png"):
        (world / name).write_bytes(b"")
    found = findings(world, pets)
    assert list(found) == ["unreadable_images"]
    assert len(found["unreadable_images"]) == 2


def test_numbers(world: Path, pets: ClassList):
    tags(t1="")(world)
    report = report_of(read_world(world, pets), pets)
    train = report.train
    assert (train.split, train.images, train.tagged, train.without_tags) == ("train", 3, 3, 1)
    assert train.class_counts == (2, 2, 1)
    assert train.pair_counts == (((0, 1), 2), ((0, 2), 1), ((1, 2), 1))
    assert (train.widths, train.heights) == ((12, 13, 14), (8, 8, 8))
    assert report.eval is not None
    assert report.eval.class_counts == (1, 1, 1)
    assert (report.count("error"), report.count("warning")) == (0, 0)


def test_the_most_frequent_pair_comes_first(world: Path, pets: ClassList):
    tags(t1="cat;traffic light", t2="traffic light;cat")(world)
    pairs = report_of(read_world(world, pets), pets).train.pair_counts
    assert pairs == (((0, 2), 3), ((0, 1), 1), ((1, 2), 1))


def test_unknown_tags_are_not_taken_for_none(world: Path, pets: ClassList):
    splits = read_world(world, pets)
    unknown = [replace(sample, tags=None) for sample in splits.eval]
    report = report_of(replace(splits, eval=unknown), pets)
    assert report.findings == ()
    assert report.eval is not None
    assert (report.eval.tagged, report.eval.without_tags) == (0, 0)


def test_sizes_are_those_of_the_turned_image(world: Path, pets: ClassList):
    turn(world)
    report = report_of(read_world(world, pets), pets)
    assert report.eval is not None
    assert report.eval.heights == (8, 15, 15)


@pytest.mark.parametrize("mask_size", [(15, 8), (8, 15), (15, 15)])
def test_a_mask_of_a_turned_image_is_judged_as_in_evaluation(world, pets, mask_size):
    turn(world)
    write_mask(world / "masks/v/1.png", mask_size)
    splits = read_world(world, pets)
    try:
        list(full_images(splits.eval, num_classes=pets.num_classes))
        accepted = True
    except InputError:
        accepted = False
    assert ("wrong_mask_sizes" not in findings(world, pets)) == accepted
    assert accepted == (mask_size != (15, 15))


BROKEN = [name for name, (kind, _, _) in FAULTS.items() if KINDS[kind][0] == "error"]


@pytest.mark.parametrize("fault", FAULTS)
def test_training_and_evaluation_refuse_what_is_an_error_and_nothing_else(world, pets, fault):
    FAULTS[fault][1](world)
    splits = read_world(world, pets)
    try:
        for sample in splits.train:
            read_image(sample.path)
        list(full_images(splits.eval, num_classes=pets.num_classes))
        refused = False
    except InputError:
        refused = True
    assert refused == (fault in BROKEN)


def test_processes_change_nothing(world: Path, pets: ClassList):
    truncate(world / "t/2.png")
    splits = read_world(world, pets)
    assert report_of(splits, pets, processes=2) == report_of(splits, pets, processes=1)


@pytest.mark.skipif(sys.platform != "linux", reason="the patch reaches workers by fork")
def test_a_killed_process_is_a_users_error(world: Path, pets: ClassList, monkeypatch):
    monkeypatch.setattr(file_facts, "read_facts", lambda *_, **__: os._exit(1))
    with pytest.raises(InputError, match="was killed, perhaps for want of memory"):
        report_of(read_world(world, pets), pets, processes=2)
