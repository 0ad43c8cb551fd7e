"""`weclip check --suspects`: the list of doubtful tags, and what it refuses to write over."""

import csv

import pytest
import torch
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.tasks.tag import suspects
from weclip.tasks.tag.auto_tags import AutoTags

CLASSES = ("bird", "cat", "dog")


@pytest.fixture
def album(tmp_path, monkeypatch):
    """Sixty small pictures with tags, two of which are wrong, and a CLIP that knows better."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    true = {f"{index:02}.png": index % 3 for index in range(60)}
    given = true | {"07.png": 0, "20.png": 1}  # truly a cat and a dog
    for index, name in enumerate(true):
        Image.fromarray(worlds.draw(("bird",), index)[0]).save(tmp_path / "photos" / name)
    rows = [f"{name},{CLASSES[tag]}\n" for name, tag in given.items()]
    (tmp_path / "photos" / "tags.csv").write_text("image,tags\n" + "".join(rows))

    def make_tags(config, classes, images, clip, console, *, memory, skip_unreadable):
        scores = torch.full((len(images), 3), 0.1)
        for row, image in enumerate(images):
            scores[row, true[f"{image.name}.png"]] = 0.9
        scores += 0.02 * torch.randn(scores.shape, generator=torch.Generator().manual_seed(0))
        return AutoTags(list(images), scores, None)

    monkeypatch.setattr(suspects, "make_tags", make_tags)
    return tmp_path


def check(*more):
    return cli.run(["check", "photos", "clip.weights=demo", "--suspects", *more])


def test_the_list_names_the_wrong_tags(album, capsys):
    for _ in range(2):  # a list of ours may be replaced
        assert check("doubtful.csv") in (0, 1)
    found = list(csv.DictReader((album / "doubtful.csv").open()))
    assert {(row["image"], row["tag"], row["seen"]) for row in found} == {
        ("07.png", "bird", "cat"),
        ("20.png", "cat", "dog"),
    }
    assert all(float(row["confidence"]) > 0.95 for row in found)
    shown = capsys.readouterr().out
    assert "2 doubtful tags in 60 images, worst first: doubtful.csv" in shown
    assert "CLIP sees" in shown


def test_the_list_cannot_be_another_file(album, capsys):
    before = (album / "photos" / "tags.csv").read_text()
    assert check("photos/tags.csv") == 2
    assert "exists and is no such list; choose another name" in capsys.readouterr().err
    assert (album / "photos" / "tags.csv").read_text() == before
    assert check("doubtful.txt") == 2
    assert "must end in .csv" in capsys.readouterr().err


def test_what_the_list_needs(album, capsys):
    assert cli.run(["check", "photos", "--suspects", "doubtful.csv"]) == 2
    assert "no value for clip.weights" in capsys.readouterr().err
    assert check("doubtful.csv", "data.tags_file=auto") == 2
    assert not (album / "doubtful.csv").exists()
