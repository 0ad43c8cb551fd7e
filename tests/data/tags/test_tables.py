"""Tables as people and programs write them: columns, separators, encodings, one-hot, boxes."""

from pathlib import Path

import pytest

from weclip.data.classes import ClassList
from weclip.data.tags.tags_file import TagsFile, read_tag_names, read_tags_file
from weclip.system.errors import InputError

ROW = ("a.jpg", (0, 1), None)


def read(folder: Path, classes: ClassList, text: str | bytes, name: str = "t.csv", **how: str):
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_tags_file(folder / name, classes, **how)


def rows(found: TagsFile) -> list[tuple[str, tuple[int, ...], str | None]]:
    return [(row.image, row.tags, row.split) for row in found.rows]


@pytest.mark.parametrize(
    "header",
    [
        "image,tags",
        "Image,Tags",
        "file_name,labels",
        "filename, label",
        "image_name,tag",
        "image_id,class",
        "ImageID,LabelName",
        "id,labels",
        "file,category",
        "path,categories",
        "filepaths,classes",
        "IMAGE PATH,Class Name",
    ],
)
def test_names_of_columns(tmp_path, pets, header):
    assert rows(read(tmp_path, pets, f"{header}\na.jpg,dog|cat\n")) == [ROW]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("id,image,tags", "7,a.jpg,dog;cat"),
        ("id,image_id,tags", "7,a.jpg,dog;cat"),
        ("image,file_name,tags", "a.jpg,x,dog;cat"),
        ("path,file_name,tags", "x,a.jpg,dog;cat"),
        ("image,label,tags", "a.jpg,x,dog;cat"),
        (",image,tags", "0,a.jpg,dog;cat"),
        ("image,tags,width,note", "a.jpg,dog;cat,640,"),
        ("image,tags,,", "a.jpg,dog;cat,,"),
    ],
)
def test_further_columns(tmp_path, pets, header, cells):
    assert rows(read(tmp_path, pets, f"{header}\n{cells}\n")) == [ROW]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("filename,path,label", "the columns 'filename', 'path' may all name the image; rename"),
        ("image,label,category", "'label', 'category' may all be the tags; .*tags_control=label"),
        (
            "image,label,dog",
            "both the column 'label' and the columns 'dog' say what is in an image",
        ),
        ("image,tags,subset,dataset", "'subset', 'dataset' may all be the split; rename one"),
        ("image,tags,spilt", "line 1: unknown field 'spilt'; did you mean 'split'"),
    ],
)
def test_columns_that_could_be_two_things(tmp_path, pets, header, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, pets, f"{header}\n" + ",".join("x" for _ in header.split(",")) + "\n")


def test_the_column_of_tags_can_be_chosen(tmp_path, pets):
    text = "image,label,breed,dog\na.jpg,x,cat,1\n"
    assert rows(read(tmp_path, pets, text, control="breed")) == [("a.jpg", (0,), None)]
    with pytest.raises(InputError, match=r"tags_control=bred: no such column; .* 'breed', 'dog'"):
        read(tmp_path, pets, text, control="bred")


@pytest.mark.parametrize("name", ["split", "Split", "subset", "data set", "partition", "set"])
def test_splits_keep_their_names(tmp_path, pets, name):
    found = read(tmp_path, pets, f"image,{name},tags\na.jpg,Validation,cat;dog\n")
    assert rows(found) == [("a.jpg", (0, 1), "Validation")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("image;tags\na.jpg;dog,cat\n", "t.csv"),
        ('image;tags\na.jpg;"dog;cat"\n', "t.csv"),
        ("sep=;\nimage;tags\na.jpg;dog|cat\n", "t.csv"),
        ("\ufeffsep=;\r\nimage;tags\r\na.jpg;dog|cat\r\n", "t.csv"),
        ("image\ttags\na.jpg\tdog,cat\n", "t.csv"),
        ("image\ttags\na.jpg\tdog;cat\n", "t.tsv"),
        ('"image";"tags"\n"a.jpg";"dog,cat"\n', "t.csv"),
        ("image,tags\na.jpg,dog;cat\n,\n \n", "t.csv"),
        ("\n\nimage,tags\na.jpg,dog;cat\n", "t.csv"),
        ("image\ttags\r\na.jpg\tdog;cat\r\n".encode("utf-16"), "t.csv"),
        ("\ufeffimage;tags\na.jpg;dog|cat\n".encode("utf-16-be"), "t.csv"),
        ("\ufeffimage,tags\na.jpg,dog;cat\n", "t.csv"),
    ],
)
def test_as_spreadsheets_save_them(tmp_path, pets, text, name):
    assert rows(read(tmp_path, pets, text, name)) == [ROW]


def test_lines_are_counted_in_the_file(tmp_path, pets):
    assert read(tmp_path, pets, "sep=;\n\nimage;tags\n\na.jpg;dog\n").rows[0].line == 5


@pytest.mark.parametrize(
    "cell", ["['dog', 'cat']", '["dog", "cat"]', "['dog','cat',]", "['cat', \"dog\"]"]
)
def test_lists_as_pandas_writes_them(tmp_path, pets, cell):
    quoted = cell.replace('"', '""')
    found = read(tmp_path, pets, f'image,labels\na.jpg,"{quoted}"\nb.jpg,[]\n')
    assert rows(found) == [ROW, ("b.jpg", (), None)]


@pytest.mark.parametrize("cell", ["[dog, cat]", "[1, 2]", "[['dog']]", "['dog' 'cat']", "[dog]"])
def test_other_lists_are_refused(tmp_path, pets, cell):
    with pytest.raises(InputError, match=r"t.csv: column 'labels': the cell "):
        read(tmp_path, pets, f'image,labels\na.jpg,"{cell}"\n')


def test_blanks_between_tags_that_the_class_list_knows(tmp_path, pets):
    found = read(tmp_path, pets, "image_name,tags\na.jpg,dog cat\nb,traffic light\nc,dog\n")
    assert rows(found) == [ROW, ("b", (2,), None), ("c", (1,), None)]


def test_blanks_do_not_separate_where_signs_do(tmp_path, pets):
    with pytest.raises(InputError, match="line 2: unknown class 'dog cat'"):
        read(tmp_path, pets, "image,tags\na.jpg,dog cat\nb.jpg,dog;cat\n")


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["traffic light", "dog"], ["dog", "traffic light"]),
        (["polar bear", "brown bear"], ["brown bear", "polar bear"]),
        (["hot dog;dog", "dog"], ["dog", "hot dog"]),
        (["dog cat", "dog"], None),
        (["dog cat", "cat dog"], None),
        (["a b c", "b c"], None),
    ],
)
def test_blanks_without_a_class_list(tmp_path, cells, names):
    text = "".join(f"{i}.jpg,{cell}\n" for i, cell in enumerate(cells))
    (tmp_path / "t.csv").write_text("image,tags\n" + text)
    if names is None:
        with pytest.raises(InputError, match=r"are blanks between tags, or part of names\?"):
            read_tag_names(tmp_path / "t.csv")
    else:
        assert read_tag_names(tmp_path / "t.csv") == names


@pytest.mark.parametrize(
    ("header", "count"), [("label", 1), ("class", 1), ("tags", 2), ("labels", 2)]
)
def test_an_empty_cell(tmp_path, pets, header, count):
    """Of one label an empty cell is a missing one; of several it is none."""
    text = f"image,{header}\na.jpg,dog\nb.jpg,\n"
    found = read(tmp_path, pets, text)
    assert len(found.rows) == count
    assert [*found.left_out.values()] == ([["b.jpg"]] if count == 1 else [])
    found = read(tmp_path, pets, text, untagged="background")
    assert rows(found) == [("a.jpg", (1,), None), ("b.jpg", (), None)]


def test_a_null_is_a_missing_label(tmp_path, pets):
    text = (
        '{"image": "a", "tags": null}\n{"image": "b", "tags": []}\n{"image": "c", "label": "dog"}\n'
    )
    found = read(tmp_path, pets, text, "t.jsonl")
    assert rows(found) == [("b", (), None), ("c", (1,), None)]
    assert [*found.left_out.values()] == [["a"]]


@pytest.mark.parametrize(
    "record",
    [
        '{"image": "a.jpg", "tags": ["dog", "cat"]}',
        '{"file_name": "a.jpg", "labels": "dog;cat"}',
        '{"file_name": "a.jpg", "label": ["cat", "dog"]}',
        '{"file_name": "a.jpg", "objects": {"bbox": [], "category": ["dog", "cat", "dog"]}}',
        '{"image_id": "a.jpg", "tags": "cat | dog", "note": {"any": 1}}',
    ],
)
def test_records(tmp_path, pets, record):
    assert rows(read(tmp_path, pets, record, "t.jsonl")) == [ROW]
    assert rows(read(tmp_path, pets, f"[{record}]", "t.json")) == [ROW]


def test_rows_of_objects_add_up(tmp_path, pets):
    text = (
        "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        "a.jpg,12,8,dog,1,1,3,3\nb.jpg,12,8,cat,1,1,3,3\na.jpg,12,8,cat,5,1,7,3\n"
    )
    assert rows(read(tmp_path, pets, text)) == [ROW, ("b.jpg", (0,), None)]
    with pytest.raises(InputError, match=r"line 4: image 'a.jpg' is already on line 2"):
        read(tmp_path, pets, text.replace("xmin,ymin,xmax,ymax", "a,b,c,d"))


def test_roboflow_marks_what_is_not_labelled(tmp_path, pets):
    found = read(tmp_path, pets, "filename, cat, dog, Unlabeled\na.jpg, 1, 1, 0\nb.jpg, 0, 0, 1\n")
    assert rows(found) == [ROW]
    assert found.left_out == {"marked 'Unlabeled'": ["b.jpg"]}
    with pytest.raises(InputError, match=r"line 2: both 'Unlabeled' and 'cat'; keep one of them"):
        read(tmp_path, pets, "filename, cat, Unlabeled\na.jpg, 1, 1\n")


def test_background_is_no_class(tmp_path, pets):
    found = read(tmp_path, pets, "image,label\na.jpg,background\nb.jpg,dog\n")
    assert rows(found) == [("a.jpg", (), None), ("b.jpg", (1,), None)]
    assert read_tag_names(tmp_path / "t.csv") == ["dog"]


@pytest.mark.parametrize("cell", ["0", "-1", "3.0"])
def test_numbers_in_place_of_names(tmp_path, pets, cell):
    with pytest.raises(
        InputError, match=rf"line 2: the tag '{cell}' is a number, and nothing says"
    ):
        read(tmp_path, pets, f"id,label\na.jpg,{cell}\n")
    numbered = ClassList(("0", "1"), (("zero",), ("one",)), ("grass",))
    assert rows(read(tmp_path, numbered, "id,label\na.jpg,1\n")) == [("a.jpg", (1,), None)]


@pytest.mark.parametrize("zero", ["0", "0.0", "00.", " 0 "])
def test_labels_that_are_not_in_the_image(tmp_path, pets, zero):
    text = f"ImageID,Source,LabelName,Confidence\na,verification,dog,1\nb,verification,cat,{zero}\n"
    with pytest.raises(InputError, match=r"line 3: 'Confidence' is 0, which says that the label"):
        read(tmp_path, pets, text)


@pytest.mark.parametrize(
    "text", ['a.jpg,"dog\nb.jpg,cat\n', "a.jpg,dog\x1b[1m\n", "a.jpg,d\x00og\n"]
)
def test_a_quote_that_is_not_closed_makes_no_class(tmp_path, text):
    (tmp_path / "t.csv").write_text("image,tags\n" + text)
    with pytest.raises(InputError, match=r"the tag 'd.* holds a line break or control character"):
        read_tag_names(tmp_path / "t.csv")


def test_a_header_with_a_line_break(tmp_path, pets):
    with pytest.raises(InputError, match="line 2: a line break in the header; is a quote not clo"):
        read(tmp_path, pets, 'image,"tags\na.jpg",dog\n')


def test_many_columns_are_read_at_once(tmp_path, pets):
    names = [f"class {i}" for i in range(20_000)]
    text = "image," + ",".join(names) + "\na.jpg" + ",0" * 20_000 + "\n"
    with pytest.raises(InputError, match="line 1: field 'tags' is missing"):
        read(tmp_path, pets, text)


@pytest.mark.parametrize("untagged", ["yes", "Background", ""])
def test_untagged_is_null_or_background(tmp_path, pets, untagged):
    with pytest.raises(InputError, match=rf"data.untagged={untagged}: must be null or background"):
        read(tmp_path, pets, "image,tags\na.jpg,dog\n", untagged=untagged)


def test_a_folder_is_no_tags_file(tmp_path, pets):
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(InputError, match=r"t.csv: tags file cannot be read: it is no file"):
        read_tags_file(tmp_path / "t.csv", pets)
    with pytest.raises(InputError, match=r"t.npy: .* must end in .*; weclip convert reads it"):
        read_tags_file(tmp_path / "t.npy", pets)
