"""Names of splits and of folders, as tools and people write them."""

import pytest

from weclip.data.layouts.folder_names import part_of
from weclip.data.layouts.split_names import is_split, parse_split, same_split

SAME = [
    "train Train TRAIN training Training train_set train2017 train_2017 TrainSet trn".split(),
    "val Val valid Valid validation Validation dev val2017 validation_set eval".split(),
    "test Test testing test2015 test_set".split(),
    "train_aug trainaug TRAIN-AUG".split(),
    "trainval trainval2011".split(),
]


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_synonyms_are_one_split(names: list[str]):
    assert {parse_split(name).name for name in names} == {parse_split(names[0]).name}
    assert all(same_split(names[0], name) and same_split(name, names[0]) for name in names)
    assert all(is_split(name) for name in names)


def test_different_splits_are_not_the_same():
    firsts = [names[0] for names in SAME] + ["fold1", "holdout", "unlabeled", "minival"]
    pairs = [(a, b) for a in firsts for b in firsts if a != b]
    assert not any(same_split(a, b) for a, b in pairs)


def test_years_count_where_both_have_one():
    assert same_split("train", "train2014")
    assert same_split("train2014", "train")
    assert not same_split("train2014", "train2017")
    assert not same_split("fold2014", "fold2017")


def test_other_names_are_compared_without_case():
    assert same_split("Fold1", "fold1")
    assert not same_split("fold1", "fold2")
    assert not is_split("fold1")


@pytest.mark.parametrize(
    ("name", "split", "role"),
    [
        ("images", None, "images"),
        ("JPEGImages", None, "images"),
        ("train_images", "train", "images"),
        ("obj_train_data", "train", "images"),
        ("labels", None, "other"),
        ("SegmentationClassAug", None, "other"),
        ("ground-truth", None, "other"),
        ("trainannot", "train", "other"),
        ("Val_Masks", "val", "other"),
        ("overlays", None, "other"),
    ],
)
def test_folders_that_play_a_part(name: str, split: str | None, role: str):
    found = part_of(name)
    assert found is not None
    assert (found.split, found.role) == (split, role)


@pytest.mark.parametrize(
    "name",
    ["dog", "train station", "bus2017", "test tube", "label maker", "2017", "trains"],
)
def test_other_folders_may_be_classes(name: str):
    assert part_of(name) is None
