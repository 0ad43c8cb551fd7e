"""Files of tags by any tool: read, or refused in one line."""

import json

import pytest
from hypothesis import strategies as st
from tests.fuzz.budget import fuzz
from tests.fuzz.strategies import as_bytes, as_json, changed_document, changed_text

from weclip.data.classes import ClassList
from weclip.data.tags.annotations import read_voc_tags
from weclip.data.tags.tags_file import read_tag_names, read_tags_file

pytestmark = pytest.mark.long

CLASSES = ClassList(("cat", "dog"), (("cat",), ("dog",)), ("sky",))

TABLES = (
    "image,tags,split\n1.jpg,cat;dog,train\n2.jpg,,val\n",
    "image;cat;dog\n1.jpg;1;0\n2.jpg;0;true\n",
    "sep=;\nfilename;label\n1.jpg;cat\n",
    "filename, cat, dog, Unlabeled\n1.jpg,1,0,0\n2.jpg,0,0,1\n",
    "id\tclass\n1\t\"['cat', 'dog']\"\n",
)
WORDS = (
    ",",
    ";",
    "\t",
    "|",
    '"',
    "'",
    "\n",
    "cat",
    "dog",
    "tags",
    "image",
    "split",
    "[",
    "]",
    "nan",
)
LINES = (
    '{"image": "1.jpg", "tags": ["cat"]}\n{"file_name": "2.jpg", "objects": {"categories": []}}\n'
)
LABEL_STUDIO = [
    {
        "id": 1,
        "data": {"image": "/data/upload/1/8b2c1f0e-1.jpg"},
        "annotations": [
            {
                "was_cancelled": False,
                "result": [
                    {"type": "choices", "from_name": "tag", "value": {"choices": ["cat", "dog"]}},
                    {
                        "type": "rectanglelabels",
                        "from_name": "box",
                        "value": {"rectanglelabels": ["cat"], "x": 1, "y": 2},
                    },
                    {"type": "taxonomy", "from_name": "t", "value": {"taxonomy": [["a", "dog"]]}},
                ],
            }
        ],
    },
    {"id": 2, "data": {"image": "http://[::1/x.png"}, "annotations": []},
]
EXPORTED = [{"image": "1.jpg", "id": 1, "choice": "cat", "annotator": 1, "annotation_id": 1}]
COCO = {
    "images": [{"id": 1, "file_name": "1.jpg", "width": 4, "height": 3}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
}
FIFTYONE = {"classes": ["cat", "dog"], "labels": {"1": 0, "2": [0, 1], "3": None}}
CVAT = """<?xml version="1.0"?><annotations><version>1.1</version>
<image id="0" name="1.jpg" subset="Train" width="4" height="3"><tag label="cat"/>
<box label="dog" xtl="0" ytl="0" xbr="1" ybr="1"><attribute name="a">b</attribute></box></image>
<image id="1" name="2.jpg"/></annotations>"""
VOC = "<annotation><filename>1.jpg</filename><object><name>cat</name></object></annotation>"
XML_WORDS = ("<image ", "name=", "label=", "<box/>", "</image>", "<track/>", "<", ">", '"', "&#9;")


def fuzz_file(path, content):
    """Read all contents as the user's file of tags, with a class list and without."""

    def read(text):
        path.write_bytes(text if isinstance(text, bytes) else as_bytes(text))
        read_tag_names(path)
        read_tags_file(path, CLASSES)

    fuzz(content, read)


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_tables(tmp_path, suffix):
    texts = changed_text(TABLES, WORDS)
    fuzz_file(
        tmp_path / f"tags{suffix}", texts | texts.map(lambda t: t.encode("utf-16", "replace"))
    )


def test_json_lines(tmp_path):
    rows = changed_document([json.loads(line) for line in LINES.splitlines()])
    lines = st.lists(rows.map(as_json), min_size=1, max_size=3).map("\n".join)
    fuzz_file(tmp_path / "tags.jsonl", changed_text([LINES], WORDS) | lines)


@pytest.mark.parametrize("document", [LABEL_STUDIO, EXPORTED, COCO, FIFTYONE], ids=str.split(
    "label-studio exported coco fiftyone"))  # fmt: skip
def test_exports(tmp_path, document):
    texts = changed_document([document]).map(as_json)
    fuzz_file(tmp_path / "tags.json", texts | changed_text([as_json(document)], WORDS))


def test_cvat(tmp_path):
    fuzz_file(tmp_path / "annotations.xml", changed_text([CVAT], XML_WORDS))


def test_voc(tmp_path):
    def read(text):
        (tmp_path / "1.xml").write_bytes(as_bytes(text))
        read_voc_tags(tmp_path / "1.xml", CLASSES)

    fuzz(changed_text([VOC], XML_WORDS), read)
