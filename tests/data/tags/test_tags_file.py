import json
from pathlib import Path

import pytest
from tests.data.builders import COCO_CATEGORIES, write_annotation, write_instances

from weclip.data.classes import ClassList, load_classes
from weclip.data.tags.annotations import read_coco_tags, read_voc_tags
from weclip.data.tags.tags_file import TagsRow, read_tags_by_name, read_tags_file
from weclip.system.errors import InputError


def test_voc_tags_are_the_set_of_object_names(tmp_path: Path, voc_classes: ClassList) -> None:
    path = write_annotation(tmp_path / "a.xml", "person", "cat", "person")
    assert read_voc_tags(path, voc_classes) == (7, 14)
    assert read_voc_tags(write_annotation(tmp_path / "b.xml"), voc_classes) == ()


def test_voc_tags_errors(tmp_path: Path, voc_classes: ClassList) -> None:
    path = write_annotation(tmp_path / "a.xml", "aeroplan")
    with pytest.raises(InputError, match=r"a.xml: unknown class 'aeroplan'; did you mean 'aerop"):
        read_voc_tags(path, voc_classes)
    path.write_text("<annotation><object>")
    with pytest.raises(InputError, match=r"a.xml: annotation is not valid XML"):
        read_voc_tags(path, voc_classes)
    for text in ("<html/>", "<annotations/>", "<annotations><annotation/></annotations>"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"a.xml: no annotation of PASCAL VOC, .* <annotation"):
            read_voc_tags(path, voc_classes)
    path.write_text("<annotation><object><pose/></object></annotation>")
    with pytest.raises(InputError, match=r"a.xml: an <object> needs its <name>"):
        read_voc_tags(path, voc_classes)
    with pytest.raises(InputError, match=r"b.xml: annotation not found"):
        read_voc_tags(tmp_path / "b.xml", voc_classes)


def test_csv_and_jsonl_say_the_same(tmp_path: Path, pets: ClassList) -> None:
    table = tmp_path / "tags.csv"
    table.write_text(
        "\ufeffimage,tags,split,note\r\n"
        "x/1.jpg,dog; cat ;dog,train,hello\r\n"
        '"a,b.jpg",traffic light,val,\r\n'
        "3.jpg,,val,\r\n",
        encoding="utf-8",
    )
    lines = tmp_path / "tags.jsonl"
    lines.write_text(
        '{"image": "x/1.jpg", "tags": ["dog", "cat"], "split": "train", "note": 1}\n'
        '{"image": "a,b.jpg", "tags": ["traffic light"], "split": "val"}\n'
        '{"image": "3.jpg", "tags": [], "split": "val"}\n\n'
    )
    rows = read_tags_file(table, pets).rows
    assert rows[0] == TagsRow("x/1.jpg", (0, 1), "train", 2)
    for a, b in zip(rows, read_tags_file(lines, pets).rows, strict=True):
        assert (a.image, a.tags, a.split, a.line) == (b.image, b.tags, b.split, b.line + 1)


def test_rows_without_split(tmp_path: Path, pets: ClassList) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("image,tags\n1.jpg,cat\n")
    read = read_tags_file(path, pets)
    assert read.rows == [TagsRow("1.jpg", (0,), None, 2)]
    assert read.left_out == {}
    assert read.source == "table, column 'tags'; 1 label"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "tags file has no rows"),
        ("image\n1.jpg\n", "line 1: field 'tags' is missing; write the header image,tags or"),
        ("image,text\n1.jpg,x\n", "line 1: field 'tags' is missing"),
        ("tags\ncat\n", "line 1: field 'image' is missing; write the header image,tags or"),
        ("image,tags,splits\n1.jpg,cat,val\n", "unknown field 'splits'; did you mean 'split'"),
        ("image,tags\n", "tags.csv: tags file has no rows"),
        ("image,tags\n1.jpg,cat\n2.jpg,cta\n", "line 3: unknown class 'cta'; did you mean 'cat'"),
        ("image,tags\n1.jpg,xyz\n", "unknown class 'xyz'; known classes: cat, dog, traffic light"),
        ("image,tags\n1.jpg,cat,dog\n", "line 2: row does not fit the header; tags are joined by"),
        ("image,tags\n1.jpg\n", "line 2: row does not fit the header"),
        ("image,tags\n,cat\n", "line 2: 'image' must be a file name"),
        ("image,tags\n1.jpg,cat\n1.jpg,dog\n", "line 3: image '1.jpg' is already on line 2"),
        ("image,tags,split\n1.jpg,cat,\n", "line 2: 'split' must be a name such as train or val"),
    ],
)
def test_csv_errors(tmp_path: Path, pets: ClassList, text: str, message: str) -> None:
    path = tmp_path / "tags.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"tags.csv") as error:
        read_tags_file(path, pets)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not valid JSON"),
        ("[1]", 'line 2: [1] is no record; write {"image": "a.jpg", "tags": ["dog"]} on each'),
        ('{"image": "2.jpg"}', "line 2: field 'tags' is missing"),
        ('{"tags": ["cat"]}', "line 2: field 'image' is missing"),
        ('{"image": "2.jpg", "tags": {"a": 1}}', "line 2: 'tags' must be a list of class names"),
        ('{"image": "2.jpg", "tags": [1]}', "line 2: 'tags' must be names of classes, not [1]"),
        ('{"image": "2.jpg", "label": 1}', "'label' must be names of classes, not 1: nothing says"),
        ('{"image": "2.jpg", "objects": {"bbox": []}}', "'objects' has no 'categories'"),
        ('{"image": "2.jpg", "objects": {"category": [0]}}', "nothing says what the numbers mean"),
        ('{"image": 2, "tags": []}', "line 2: 'image' must be a file name, not 2"),
        ('{"image": "2.jpg", "tags": ["dgo"]}', "line 2: unknown class 'dgo'; did you mean 'dog'"),
    ],
)
def test_jsonl_errors(tmp_path: Path, pets: ClassList, line: str, message: str) -> None:
    path = tmp_path / "tags.jsonl"
    path.write_text('{"image": "1.jpg", "tags": []}\n' + line)
    with pytest.raises(InputError, match=r"tags.jsonl") as error:
        read_tags_file(path, pets)
    assert message in str(error.value)


def test_unreadable_tags_file(tmp_path: Path, pets: ClassList) -> None:
    with pytest.raises(
        InputError, match=r"tags.txt: a tags file must end in .csv, .tsv, .jsonl, .json"
    ):
        read_tags_file(tmp_path / "tags.txt", pets)
    with pytest.raises(InputError, match=r"tags.csv: tags file not found"):
        read_tags_file(tmp_path / "tags.csv", pets)
    (tmp_path / "latin.csv").write_bytes(b"image,tags\n\xff,cat\n")
    with pytest.raises(InputError, match=r"latin.csv: tags file cannot be read as UTF-8"):
        read_tags_file(tmp_path / "latin.csv", pets)


def test_tags_by_name(tmp_path: Path, pets: ClassList) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("image,tags\nJPEGImages/2007_1.jpg,cat\nv1.2,dog\n")
    assert read_tags_by_name(path, pets) == {"2007_1": (0,), "v1.2": (1,)}
    path.write_text("image,tags\na/1.jpg,cat\nb/1.jpg,dog\n")
    with pytest.raises(InputError, match=r"line 3: a second row for the image name '1'"):
        read_tags_by_name(path, pets)


def test_coco_tags(tmp_path: Path, pets: ClassList) -> None:
    expected = {"COCO_val2014_000000000001": (0, 1), "COCO_val2014_000000000003": (2,)}
    path = write_instances(tmp_path / "i.json")
    assert read_coco_tags(path, pets) == expected
    unordered = write_instances(tmp_path / "j.json", COCO_CATEGORIES[::-1])
    assert read_coco_tags(unordered, pets) == expected  # by name, whatever the order
    unused = [{"id": 0, "name": "pets"}, *COCO_CATEGORIES]
    assert read_coco_tags(write_instances(tmp_path / "k.json", unused), pets) == expected
    foreign = [{**c, "name": n} for c, n in zip(COCO_CATEGORIES, "xyz", strict=True)]
    with pytest.raises(InputError, match=r"l.json: categories: unknown class 'x'"):
        read_coco_tags(write_instances(tmp_path / "l.json", foreign), pets)  # not by their order


def test_official_coco_ids_map_in_list_order(tmp_path: Path) -> None:
    coco = load_classes("coco")
    gaps = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    ids = [i for i in range(1, 91) if i not in gaps]
    document = {
        "categories": [{"id": i, "name": n} for i, n in zip(ids, coco.names, strict=True)],
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in ids],
        "annotations": [{"image_id": i, "category_id": i} for i in ids],
    }
    path = tmp_path / "i.json"
    path.write_text(json.dumps(document))
    tags = read_coco_tags(path, coco)
    assert [tags[str(i)] for i in ids] == [(k,) for k in range(80)]
    assert tags["90"] == (coco.index("toothbrush"),)


def test_coco_errors(tmp_path: Path, pets: ClassList) -> None:
    path = tmp_path / "i.json"
    with pytest.raises(InputError, match=r"i.json: annotations not found; give data.tags_file"):
        read_coco_tags(path, pets)
    path.write_text("{")
    with pytest.raises(InputError, match=r"i.json: not valid JSON"):
        read_coco_tags(path, pets)
    for text in ("{}", "[]", '{"categories": [], "images": [], "annotations": [{"image_id": 1}]}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"i.json: not a COCO instances file"):
            read_coco_tags(path, pets)
    write_instances(path, [{"id": 3, "name": "cat"}, {"id": 9, "name": "dogg"}])
    with pytest.raises(InputError, match=r"i.json: categories: unknown class 'dogg'; .*'dog'"):
        read_coco_tags(path, pets)
