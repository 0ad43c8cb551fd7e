"""`weclip convert`: every format of tags gives the same tags file."""

import json

import numpy as np
import pytest

from weclip import cli
from weclip.data.classes import load_classes
from weclip.data.tags import read_tags_file

VOC = load_classes("voc")
TAGS = {"2007_000032": ("aeroplane", "person"), "2007_000039": ("tvmonitor",), "naïve": ("dog",)}


def as_csv(folder):
    lines = [f"{name},{';'.join(tags)}" for name, tags in TAGS.items()]
    (folder / "tags.csv").write_text("image,tags\n" + "\n".join(lines), encoding="utf-8")
    return folder / "tags.csv"


def as_jsonl(folder):
    rows = [json.dumps({"image": name, "tags": tags}) for name, tags in TAGS.items()]
    (folder / "tags.jsonl").write_text("\n".join(rows))
    return folder / "tags.jsonl"


def as_pickle(folder):
    rows = {name: np.zeros(20, np.float32) for name in TAGS}
    for name, tags in TAGS.items():
        rows[name][[VOC.names.index(tag) for tag in tags]] = 1
    np.save(folder / "cls_labels_onehot.npy", rows)
    return folder / "cls_labels_onehot.npy"


def as_xml(folder):
    (folder / "Annotations").mkdir()
    for name, tags in TAGS.items():
        objects = "".join(f"<object><name>{tag}</name></object>" for tag in tags)
        text = f"<annotation>{objects}</annotation>"
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    return folder / "Annotations"


def as_coco(folder):
    categories = [{"id": 3 * i + 7, "name": name} for i, name in enumerate(VOC.names)]
    images = [{"id": i, "file_name": f"{name}.jpg"} for i, name in enumerate(TAGS)]
    annotations = [
        {"image_id": i, "category_id": 3 * VOC.names.index(tag) + 7}
        for i, tags in enumerate(TAGS.values())
        for tag in tags
    ]
    document = {"images": images, "categories": categories, "annotations": annotations}
    (folder / "instances.json").write_text(json.dumps(document))
    return folder / "instances.json"


FORMATS = (as_csv, as_jsonl, as_pickle, as_xml, as_coco)


@pytest.mark.parametrize("target", ["out.csv", "deep/out.jsonl"])
@pytest.mark.parametrize("make", FORMATS)
def test_every_format_gives_the_same_tags(tmp_path, capsys, make, target):
    source, target = make(tmp_path), tmp_path / target
    assert cli.run(["convert", str(source), str(target), "--classes", "voc"]) == 0
    assert capsys.readouterr().out == f"3 images in {target}\n"
    read = {row.image: row.tags for row in read_tags_file(target, VOC)}
    assert read == {
        name: tuple(sorted(VOC.names.index(tag) for tag in tags)) for name, tags in TAGS.items()
    }


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
        ("tags.parquet", "out.csv", "voc", "unknown format; tags are read from"),
        ("gone.npy", "out.csv", "voc", "tags file not found"),
        ("empty", "out.csv", "voc", "no .xml files in this folder"),
        ("tags.csv", "out.csv", "vok", "did you mean 'voc'?"),
        ("cls_labels_onehot.npy", "out.csv", "coco", "expected 80 numbers"),
    ],
)
def test_refused(tmp_path, capsys, source, target, classes, expected):
    as_csv(tmp_path), as_pickle(tmp_path)
    (tmp_path / "empty").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    arguments = [str(tmp_path / source), str(tmp_path / target), "--classes", classes]
    assert cli.run(["convert", *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("weclip: error: ")
    assert message.count("\n") == 1
    assert expected in message
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
