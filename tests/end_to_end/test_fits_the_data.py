"""`auto` is decided once, when a run starts, and the command says what it does."""

import pytest
from tests.end_to_end.worlds import SMALL, train, write_folder

from weclip.config_file import from_yaml

AUTO = "train.steps=auto train.batch_size=auto data.crop_size=auto train.save_every=auto".split()


@pytest.fixture
def photos(tmp_path):
    return write_folder(tmp_path / "photos")


def start(photos, clip_file, *more):
    named = [f"data.root={photos}", "data.tags_file=tags.jsonl", f"clip.weights={clip_file}"]
    classes = f"data.classes={photos / 'classes.yaml'}"
    out = photos.with_name("run")
    return train(out, *named, classes, *SMALL, *AUTO, *more, config="folder")


def steps_of(photos):
    text = (photos.with_name("run") / "config.yaml").read_text()
    return from_yaml(text, "config.yaml").train.steps


def test_numbers_are_chosen_once_and_images_that_come_later_change_none(photos, clip_file, capsys):
    assert start(photos, clip_file, "train.epochs=2") == 0
    first = (photos.with_name("run") / "config.yaml").read_text()
    assert "auto\n" not in first.replace("activation: auto", "").replace("precision: auto", "")
    steps = steps_of(photos)
    assert start(photos, clip_file, "train.epochs=2", "--resume") == 0
    assert (photos.with_name("run") / "config.yaml").read_text() == first

    capsys.readouterr()
    assert start(photos, clip_file, "train.epochs=4", "--resume") == 2
    assert f"train.steps was {steps}, now {2 * steps}" in capsys.readouterr().err

    tags = photos / "tags.jsonl"
    line = tags.read_text().splitlines()[0]
    name = photos / "train" / "train_0.jpg"
    more = [name.with_name(f"more_{index}.jpg") for index in range(9)]
    for path in more:
        path.write_bytes(name.read_bytes())
    lines = [line.replace(name.name, path.name) for path in more]
    tags.write_text("\n".join([tags.read_text().rstrip(), *lines]) + "\n")
    assert start(photos, clip_file, "train.epochs=2", "--resume", "--accept-changes") == 0
    assert steps_of(photos) == steps


def test_the_command_says_what_it_will_do_and_what_comes_next(photos, clip_file, capsys):
    assert start(photos, clip_file, "train.epochs=2", "data.eval_split=val") == 0
    said = capsys.readouterr().out.splitlines()
    block = {line.split()[0]: line for line in said if line}
    assert "of 3 classes" in block["images"]
    assert "crops of 48; tested at a long side of 48" in block["pixels"]
    assert all(
        len(block[name]) < 80 for name in "images training pixels machine CLIP trained".split()
    )
    assert any(line.startswith("step 1/") for line in said)
    assert any("mIoU" in line and line.endswith("<- best") for line in said)
    assert any(line.strip().startswith("weclip predict ") for line in said)
    assert any(line.strip().startswith("weclip evaluate ") for line in said)
