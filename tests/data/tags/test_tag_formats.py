"""Every format of tags says the same; what is wrong in one is said in one line."""

import json
from pathlib import Path

import pytest
from tests.data.builders import write_image
from tests.data.tags import tag_formats

from weclip.data.classes import ClassList
from weclip.data.images.listing import image_name
from weclip.data.layouts import folder
from weclip.data.tags.tags_file import read_tag_names, read_tags_file
from weclip.system.errors import InputError

EXPECTED = {"a": (1, 2), "naïve": (0,), "none": ()}


@pytest.mark.parametrize("write", tag_formats.FILES)
def test_identical_tags(tmp_path: Path, pets: ClassList, write) -> None:
    rows = read_tags_file(write(tmp_path), pets)
    assert {image_name(row.image): row.tags for row in rows} == EXPECTED


@pytest.mark.parametrize("write", tag_formats.FILES)
def test_each_trains_from_a_folder(tmp_path: Path, pets: ClassList, write) -> None:
    path = write(tmp_path)
    images = tmp_path / "data" if path.name in ("labels.json", "objects.json") else tmp_path
    for name in EXPECTED:
        write_image(images / f"{name}.jpg")
    samples = folder.read_split(tmp_path, pets, "train", path.name)
    assert {Path(sample.name).name: sample.tags for sample in samples} == EXPECTED


def test_a_separator_inside_a_class_name_does_not_separate(tmp_path: Path) -> None:
    classes = ClassList(("cat, black", "dog"), (("a",), ("b",)), ("c",))
    (tmp_path / "tags.csv").write_text('image,tags\na,"cat, black|dog"\n')
    assert read_tags_file(tmp_path / "tags.csv", classes)[0].tags == (0, 1)


def test_cvat_subsets_are_splits(tmp_path: Path, pets: ClassList) -> None:
    text = '<annotations><image name="a" subset="val"><tag label="dog"/></image></annotations>'
    (tmp_path / "annotations.xml").write_text(text)
    assert read_tags_file(tmp_path / "annotations.xml", pets)[0].split == "val"


def studio(**change: object) -> str:
    result = {"type": "choices", "value": {"choices": ["dog"]}}
    return json.dumps([{"data": {"image": "a"}, "annotations": [{"result": [result]}]} | change])


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
        ("t.json", "{}", "'labels' is missing"),
        ("t.json", "3", "is of the wrong type ("),
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
        ("t.json", "[3]", "is of the wrong type ("),
        ("t.json", studio(data={}), "'image' is missing"),
        ("t.json", studio(annotations=3), "is of the wrong type ("),
        ("t.json", studio(data={"image": 3}), "is of the wrong type ("),
        ("t.xml", "<annotations", "not valid XML"),
        ("t.xml", "<annotations/>", "no <image> in it"),
        ("t.xml", '<a><image id="0"/></a>', "image 1: an image needs a name"),
        ("t.xml", '<a><image name="x"><tag/></image></a>', "image 1: an image needs a name, a tag"),
        ("t.xml", '<a><image name="x"/><image name="x"/></a>', "'x' is already on image 1"),
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
        ("t.csv", "image,tag\na,dog\n", "line 1: unknown field 'tag'; did you mean 'tags'"),
        ("t.csv", "image,width\na,640\n", "line 2: column 'width' must hold 0 or 1, not '640'"),
        ("t.csv", "id,dog\na,1\n", "line 1: field 'image' is missing"),
        ("t.csv", "image\na\n", "line 1: field 'tags' is missing"),
        ("t.csv", "", "tags file has no rows"),
        ("t.csv", "image,tags\n", "tags file has no rows"),
        ("t.jsonl", '{"image": "a", "tags": [3]}', "line 1: 'tags' must be a list of class names"),
        ("t.txt", "", "a tags file must end in .csv, .jsonl"),
    ],
)
def test_no_names(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        read_tag_names(tmp_path / name)
    assert message in str(error.value)
