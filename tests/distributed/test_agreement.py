"""Processes of one run that were given different things end in one line."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.distributed import launch
from tests.end_to_end import worlds
from tests.test_plugins import WHOLE

from weclip.system import distributed
from weclip.system.errors import InputError
from weclip.tasks import agreement


def test_a_difference_is_named_by_rank_and_key(monkeypatch):
    given = [{"train.steps": 4, "train.seed": 0}, {"train.steps": 4, "train.seed": 1}]
    monkeypatch.setattr(distributed, "everyones", lambda own: given)
    said = "process 1 has another configuration than process 0: train.seed is 1 there and 0 here"
    with pytest.raises(InputError, match=said):
        distributed.require_equal("configuration", given[0])


def test_a_missing_key_is_a_difference(monkeypatch):
    given = [{"a": 1}, {"a": 1}, {"a": 1, "plugins.my.py": "ab"}]
    monkeypatch.setattr(distributed, "everyones", lambda own: given)
    with pytest.raises(
        InputError, match=r"process 2 .*: plugins\.my\.py is ab there and None here"
    ):
        distributed.require_equal("configuration", given[0])


def test_one_process_agrees_with_itself():
    distributed.require_equal("configuration", {"a": 1})


def test_other_packages_are_named(monkeypatch):
    other = agreement.packages() | {"torch": "1.0"}
    monkeypatch.setattr(distributed, "everyones", lambda own: [own, other])
    with pytest.raises(InputError, match=r"another version of a package .*: torch is 1\.0 there"):
        distributed.require_equal("version of a package", agreement.packages())


def change_list(world: Path, split: str) -> None:
    """One image of a split is missing."""
    path = world / "ImageSets" / "Segmentation" / f"{split}.txt"
    path.write_text("\n".join(path.read_text().split()[1:]))


def change_image(world: Path) -> None:
    Image.fromarray(np.zeros((60, 40, 3), np.uint8)).save(world / "JPEGImages" / "train_0.png")


def change_tags(world: Path) -> None:
    path = world / "tags.csv"
    path.write_text(path.read_text().replace("train_0.png,bird", "train_0.png,cat"))


def change_mask(world: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 4, (worlds.SIZE, worlds.SIZE), np.uint8)
    Image.fromarray(mask).save(world / "SegmentationClass" / "val_8.png")


CHANGES = {
    "same": lambda world: None,
    "list": lambda world: change_list(world, "train"),
    "scored": lambda world: change_list(world, "val"),
    "image": change_image,
    "tags": change_tags,
    "mask": change_mask,
}


def write_all(root: Path) -> None:
    """Of each thing two, for the processes 0 and 1, of which the second is another."""
    voc = worlds.write_voc(root / "voc")
    for name, change in CHANGES.items():
        for rank in (0, 1):
            shutil.copytree(voc, root / f"{name}{rank}")
        change(root / f"{name}1")
    for rank in (0, 1):
        (root / f"clip{rank}").mkdir()
        worlds.write_clip(root / f"clip{rank}" / "clip.safetensors", seed=rank)
        (root / f"plugin{rank}").mkdir()
        (root / f"plugin{rank}" / "mine.py").write_text(WHOLE + "\n" * rank)


def train(root: Path, *changes: str, data: str = "same", clip: str = "clip0") -> list[str]:
    return ["train", "--out", f"{root}/new", *settings(root, data, clip), *changes]


def settings(root: Path, data: str, clip: str = "clip0") -> list[str]:
    world = f"{root}/{data}{{rank}}"
    weights = f"clip.weights={root}/{clip}/clip.safetensors"
    splits = ["data.train_split=train", f"data.tags_file={world}/tags.csv"]
    return ["--config", "voc", f"data.root={world}", weights, *splits, *worlds.SMALL]


def commands(root: Path) -> dict[str, tuple[list[str], str]]:
    """Command lines, and what each is told to differ in."""
    run, out = f"{root}/run", ["--out", f"{root}/new"]
    model = ["--model", run]
    scored = [*model, *out, f"data.root={root}/scored{{rank}}"]
    masked = [*model, *out, f"data.root={root}/mask{{rank}}"]
    masks = ["--masks", f"{root}/same0/SegmentationClass", *out]
    pictures = f"{root}/image{{rank}}/JPEGImages"
    weights, tags = "CLIP weights is", "images and tags is"
    return {
        "train seed": (train(root, "train.seed={rank}"), "configuration .*: train.seed is 1 there"),
        "train steps": (train(root, "train.steps=1{rank}"), "configuration .*: train.steps is 11"),
        "train plugin": (
            [*train(root), "--plugin", f"{root}/plugin{{rank}}/mine.py"],
            r"configuration .*: plugins\.mine",
        ),
        "train list": (train(root, data="list"), "input .*: images is 10 there and 11 here"),
        "train tags": (train(root, data="tags"), tags),
        "train image": (train(root, data="image"), "input .*: sizes"),
        "train scored": (train(root, data="scored"), "input .*: images is"),
        "train weights": (train(root, clip="clip{rank}"), weights),
        "train seeds": (
            [*train(root), "--seeds", "0,1{rank}"],
            r"option .*: --seeds is \[0, 11\] there and \[0, 10\] here",
        ),
        "label tags": (["label", *out, *settings(root, "tags")], tags),
        "label weights": (["label", *out, *settings(root, "same", "clip{rank}")], "CLIP's SHA-256"),
        "label setting": (
            ["label", *out, *settings(root, "same"), "label.scale=1.{rank}"],
            "label.scale is 1.1 there and 1.0 here",
        ),
        "tag list": (["tag", "--out", f"{root}/t.csv", *settings(root, "list")], "images is 7"),
        "tag weights": (
            ["tag", "--out", f"{root}/t.csv", *settings(root, "same", "clip{rank}")],
            "CLIP is",
        ),
        "evaluate list": (["evaluate", *scored], "input .*: images is 2 there and 3 here"),
        "evaluate mask": (["evaluate", *masked], "input .*: sizes"),
        "evaluate setting": (
            ["evaluate", *model, *out, "eval.scales=[1.{rank}]"],
            r"eval\.scales",
        ),
        "masks list": (
            ["evaluate", *masks, *settings(root, "scored"), "--allow-missing"],
            "images is",
        ),
        "masks mask": (["evaluate", *masks, *settings(root, "mask")], "input .*: sizes"),
        "predict image": (["predict", *model, *out, pictures], "input .*: sizes"),
        "predict list": (
            ["predict", *model, *out, f"{root}/same0/JPEGImages/train_{{rank}}*"],
            tags,
        ),
        "predict setting": (
            ["predict", *model, *out, pictures, "eval.long_side=4{rank}"],
            "eval.long_side is 41 there and 40 here",
        ),
    }


@pytest.mark.long
def test_the_commands_compare_before_they_share_the_work(tmp_path):
    """In one launch, since a launch takes seconds; the first trains on copies of one world."""
    write_all(tmp_path)
    first = train(tmp_path)
    first[first.index("--out") + 1] = f"{tmp_path}/run"
    asked = commands(tmp_path)
    zero, one = launch.told(2, tmp_path, [first, *(arguments for arguments, _ in asked.values())])
    assert zero[0][0] == one[0][0] == 0, (zero[0], one[0])
    assert (tmp_path / "run" / "model.safetensors").is_file()
    wrong = []
    for (name, (_, expected)), here, there in zip(asked.items(), zero[1:], one[1:], strict=True):
        whole = f"process 1 has another .*{expected}"
        if here[0] != 2 or here != there or not re.search(whole, here[1]):
            wrong.append((name, here, there))
    assert not wrong
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "t.csv").exists()
