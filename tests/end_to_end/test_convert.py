"""`weclip convert`: every format of tags gives the same tags file."""

import pytest
from tests.data.tags import tag_formats

from weclip.cli import app as cli
from weclip.data.classes import load_classes
from weclip.data.images.listing import image_name
from weclip.data.tags.tags_file import read_tags_file

EXPECTED = {"a": (1, 2), "naïve": (0,), "none": ()}
PETS = "classes:\n" + "".join(f"  - name: {name}\n" for name in tag_formats.NAMES)


@pytest.fixture
def pets(tmp_path):
    (tmp_path / "pets.yaml").write_text(PETS + "background_words: [grass]\n")
    return tmp_path / "pets.yaml"


@pytest.mark.parametrize("target", ["out.csv", "deep/out.jsonl"])
@pytest.mark.parametrize("write", [*tag_formats.FILES, *tag_formats.CONVERTED])
def test_every_format_gives_the_same_tags(tmp_path, capsys, pets, write, target):
    source, target = write(tmp_path), tmp_path / target
    arguments = [str(source), str(target), "--classes", str(pets), "--untagged", "background"]
    assert cli.run(["convert", *arguments]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"3 images in {target}"
    assert second.startswith("tags from ")
    assert second.endswith(" labels")
    read = read_tags_file(target, load_classes(pets))
    assert {image_name(row.image): row.tags for row in read.rows} == EXPECTED


def test_what_is_left_out_is_said(tmp_path, capsys, pets):
    source, target = tag_formats.cvat(tmp_path), tmp_path / "out.csv"
    assert cli.run(["convert", str(source), str(target), "--classes", str(pets)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"2 images in {target}",
        "tags from CVAT, tags; 3 labels",
        "left out: 1 ('none.jpg'): no object or tag; with data.untagged=background they are "
        "pictures of background",
    ]


def test_one_control(tmp_path, pets):
    source, target = tag_formats.label_studio(tmp_path), tmp_path / "out.csv"
    arguments = [str(source), str(target), "--classes", str(pets), "--tags-control", "choices"]
    assert cli.run(["convert", *arguments]) == 0
    assert target.read_text(encoding="utf-8").splitlines()[1] == "a.jpg,dog;traffic light"
    assert cli.run(["convert", *arguments[:-1], "animal", "--overwrite"]) == 2


def test_splits_are_kept(tmp_path):
    (tmp_path / "tags.csv").write_text("image,tags,split\na.jpg,dog,train\nb.jpg,,val\n")
    for source, target in (("tags.csv", "a.jsonl"), ("a.jsonl", "b.csv")):
        arguments = [str(tmp_path / source), str(tmp_path / target), "--classes", "voc"]
        assert cli.run(["convert", *arguments]) == 0
    assert (tmp_path / "b.csv").read_text() == (tmp_path / "tags.csv").read_text()


@pytest.mark.parametrize(
    ("source", "target", "classes", "expected"),
    [
        ("tags.csv", "out.txt", "voc", "must end in .csv or .jsonl"),
        ("tags.csv", "tags.csv", "voc", "exists; choose another name or add --overwrite"),
        (
            "tags.parquet",
            "out.csv",
            "voc",
            "a tags file must end in .csv, .tsv, .jsonl, .json, .xml",
        ),
        ("gone.npy", "out.csv", "voc", "tags file not found"),
        ("empty", "out.csv", "voc", "no .xml files in this folder"),
        ("tags.csv", "out.csv", "vok", "did you mean 'voc'?"),
        ("cls_labels_onehot.npy", "out.csv", "coco", "expected 80 numbers"),
    ],
)
def test_refused(tmp_path, capsys, source, target, classes, expected):
    tag_formats.csv_cells(tmp_path), tag_formats.pickled(tmp_path)
    (tmp_path / "empty").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    arguments = [str(tmp_path / source), str(tmp_path / target), "--classes", classes]
    assert cli.run(["convert", *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("weclip: error: ")
    assert message.count("\n") == 1
    assert expected in message
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
