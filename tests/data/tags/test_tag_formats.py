"""Every format of tags says the same; what is wrong in one is said in one line."""

import json
from pathlib import Path

import pytest
from tests.data.builders import write_image
from tests.data.reading import reader
from tests.data.tags import tag_formats

from weclip.data.classes import ClassList
from weclip.data.images.listing import image_name
from weclip.data.tags.reading import TagsChoice
from weclip.data.tags.tags_file import read_tag_names, read_tags_file
from weclip.system.errors import InputError

EXPECTED = {"a": (1, 2), "naïve": (0,), "none": ()}


@pytest.mark.parametrize("write", tag_formats.FILES)
def test_identical_tags(tmp_path: Path, pets: ClassList, write) -> None:
    path = write(tmp_path)
    read = read_tags_file(path, pets, untagged="background")
    assert {image_name(row.image): row.tags for row in read.rows} == EXPECTED
    assert read.left_out == {}


@pytest.mark.parametrize("write", tag_formats.FILES)
def test_what_cannot_be_finished_is_left_out_and_told(tmp_path, pets: ClassList, write) -> None:
    read = read_tags_file(write(tmp_path), pets)
    left_out = [image_name(name) for names in read.left_out.values() for name in names]
    assert left_out == (["none"] if write.__name__ in tag_formats.OPEN else [])
    tags = {image_name(row.image): row.tags for row in read.rows}
    assert tags == {name: tags for name, tags in EXPECTED.items() if name not in left_out}


@pytest.mark.parametrize("write", tag_formats.FILES)
def test_each_trains_from_a_folder(tmp_path: Path, pets: ClassList, write) -> None:
    path = write(tmp_path)
    images = tmp_path / "data" if path.name in ("labels.json", "objects.json") else tmp_path
    for name in EXPECTED:
        write_image(images / f"{name}.jpg")
    samples = reader("folder").read_split(
        tmp_path, pets, "train", path.name, TagsChoice(untagged="background")
    )
    assert {Path(sample.name).name: sample.tags for sample in samples} == EXPECTED


def test_a_separator_inside_a_class_name_does_not_separate(tmp_path: Path) -> None:
    classes = ClassList(("cat, black", "dog"), (("a",), ("b",)), ("c",))
    (tmp_path / "tags.csv").write_text('image,tags\na,"cat, black|dog"\n')
    assert read_tags_file(tmp_path / "tags.csv", classes).rows[0].tags == (0, 1)


def test_cvat_subsets_are_splits(tmp_path: Path, pets: ClassList) -> None:
    text = '<annotations><image name="a" subset="val"><tag label="dog"/></image></annotations>'
    (tmp_path / "annotations.xml").write_text(text)
    assert read_tags_file(tmp_path / "annotations.xml", pets).rows[0].split == "val"


def studio(**change: object) -> str:
    result = {"type": "choices", "value": {"choices": ["dog"]}}
    return json.dumps([{"data": {"image": "a"}, "annotations": [{"result": [result]}]} | change])


def cvat(images: str) -> str:
    return f"<annotations>{images}</annotations>"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "image,cat,dgo\na,1,0\n", "line 1: column 'dgo' is no class; did you mean 'dog'"),
        ("t.csv", "image,cat,mouse\na,1,0\n", "column 'mouse' is no class"),
        ("t.csv", "cat,dog\n1,0\n", "line 1: field 'image' is missing"),
        ("t.csv", "image,cat\na,2\n", "line 2: column 'cat' must hold 0 or 1, not '2'"),
        ("t.csv", "image,cat\na,1,1\n", "line 2: row does not fit the header"),
        ("t.json", "{", "not valid JSON"),
        ("t.json", b"\xff\xfe{", "not valid JSON"),
        ("t.json", "[" * 9999, "not valid JSON"),
        ("t.json", f'{{"labels": {"9" * 9999}}}', "not valid JSON"),
        ("t.json", "{}", "none of Label Studio tasks, COCO annotations, FiftyOne labels"),
        ("t.json", "3", "3 is none of Label Studio tasks, COCO annotations, FiftyOne labels"),
        ("t.json", '{"samples": []}', "FiftyOne's own format; export it as FiftyOneImageClassif"),
        ("t.json", '{"shapes": [], "imagePath": "a"}', "LabelMe; write a table with the header"),
        ("t.json", '{"items": [], "categories": {}}', "Datumaro's own format; export it as coco"),
        ("t.json", '{"labels": 3}', "is of the wrong type ("),
        ("t.json", '{"labels": {"a": 0}}', "id 0 is used but not defined"),
        ("t.json", '{"classes": ["dog"], "labels": {"a": 1}}', "id 1 is used but not defined"),
        (
            "t.json",
            '{"classes": ["dog"], "labels": {"a": "hund"}}',
            "image 1: unknown class 'hund'",
        ),
        ("t.json", '{"labels": {}}', "tags file has no rows"),
        ("t.json", '{"categories": [], "images": []}', "'annotations' is missing"),
        ("t.json", "[]", "tags file has no rows"),
        ("t.json", "[3]", "image 1: 3 is none of Label Studio tasks"),
        ("t.json", studio(data={}), "task 1: no image in it"),
        ("t.json", studio(data=3), "task 1: 'data' must hold the task's image, not 3"),
        ("t.json", studio(annotations=3), "is of the wrong type ("),
        ("t.json", studio(data={"image": 3}), "task 1: no image in it; its keys are 'image'"),
        ("t.json", studio(annotations=[]), "no image in it can be used: 1 not annotated"),
        ("t.json", '[{"image": "a.jpg"}]', "image 1: field 'tags' is missing"),
        ("t.xml", "<annotations", "not valid XML"),
        ("t.xml", "<annotations/>", "no <image> in it"),
        ("t.xml", "<html/>", "t.xml: not written by CVAT, whose XML begins with <annotations>"),
        ("t.xml", '<a><image name="x"><tag label="dog"/></image></a>', "not written by CVAT"),
        ("t.xml", "<annotation><object/></annotation>", "the annotation of one image, as in PASC"),
        ("t.xml", cvat('<image id="0"/>'), "image 1: an image needs a name"),
        ("t.xml", cvat('<image name="x"/>'), "no image in it can be used: 1 no object or tag"),
        ("t.xml", cvat('<image name="x"><tag/></image>'), "a shape or tag needs its label; <tag>"),
        ("t.xml", cvat(2 * '<image name="x"><tag label="dog"/></image>'), "already on image 1"),
        ("t.xml", cvat('<image name="x"><b label="dog"/></image>'), "<b> is no shape of CVAT"),
        ("t.xml", cvat('<track label="dog"/>'), "tracks of a video (<track>); export as 'CVAT f"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, pets: ClassList, name, text, message) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        read_tags_file(tmp_path / name, pets)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize("write", tag_formats.FILES)
def test_names_without_a_class_list(tmp_path: Path, pets: ClassList, write) -> None:
    assert read_tag_names(write(tmp_path)) == sorted(pets.names)


def test_a_column_is_a_class_even_if_no_image_has_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file_name,cat,dog,split\na,1,0,train\nb,0,0,val\n")
    assert read_tag_names(tmp_path / "t.csv") == ["cat", "dog"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "image,tags\na,\n", "t.csv: no image has a tag; there is nothing to learn from"),
        ("t.csv", "image,tags\na,dog;Dog\n", "the tags 'Dog' and 'dog' differ only in upper and"),
        ("t.csv", "image,tag,label\na,dog,cat\n", "columns 'tag', 'label' may all be the tags"),
        ("t.csv", "image,label\na,0\nb,1\n", "line 2: the tag '0' is a number, and nothing says"),
        ("t.csv", "image,label\na,nan\n", "line 2: 'nan' is no class name; leave the tags"),
        ("t.csv", "image,width\na,640\n", "line 2: column 'width' must hold 0 or 1, not '640'"),
        ("t.csv", "what,dog\na,1\n", "line 1: field 'image' is missing"),
        ("t.csv", "image\na\n", "line 1: field 'tags' is missing"),
        ("t.csv", "", "tags file has no rows"),
        ("t.csv", "image,tags\n", "tags file has no rows"),
        ("t.jsonl", '{"image": "a", "tags": [3]}', "line 1: 'tags' must be names of classes, not"),
        ("t.txt", "", "a tags file must end in .csv, .tsv, .jsonl"),
    ],
)
def test_no_names(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        read_tag_names(tmp_path / name)
    assert message in str(error.value)
