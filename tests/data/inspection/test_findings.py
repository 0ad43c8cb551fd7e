"""Every finding is made by hand in a tiny data set; the clean one has none of them."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.data.builders import write_mask
from tests.data.inspection.faulty_world import FAULTS, tags, truncate, turn, write_world

from weclip.data.classes import ClassList
from weclip.data.dataset import open_dataset
from weclip.data.images.decoding import read_image
from weclip.data.images.full_images import full_images
from weclip.data.inspection import file_facts
from weclip.data.inspection.accounting import account
from weclip.data.inspection.file_facts import facts_of
from weclip.data.inspection.findings import KINDS, Report, Splits, make_report
from weclip.data.inspection.names import NAME_KINDS
from weclip.system.errors import InputError


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return write_world(tmp_path / "world")


def read_world(root: Path, pets: ClassList, eval_split: str = "val") -> Splits:
    dataset = open_dataset("folder", root, classes=pets)
    return Splits(
        "train",
        dataset.read_split("train"),
        eval_split,
        dataset.read_masked_split(eval_split),
        rest=account(dataset.layout.holdings()),
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


@pytest.mark.parametrize(("kind", "spoil", "expected"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_found_alone(world: Path, pets: ClassList, kind, spoil, expected):
    spoil(world)
    found = findings(world, pets)
    assert list(found) == [kind]
    (example,) = found[kind]
    assert expected in example


ELSEWHERE = {"no_scores", "untagged_classes", "left_out_rows", "deeper_folders", *NAME_KINDS}
"""Kinds that cannot come alone, or not from a table; they have tests of their own."""


def test_every_kind_has_a_test():
    assert {kind for kind, _, _ in FAULTS.values()} == KINDS.keys() - ELSEWHERE


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


BROKEN = [
    name
    for name, (kind, _, _) in FAULTS.items()
    if KINDS[kind][0] == "error" and kind != "no_class_drawn"  # `tests/end_to_end` has that one
]


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
