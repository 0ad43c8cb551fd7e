"""The door of documents, and what reads them: class lists, descriptions of data, configurations."""

import pytest
from hypothesis import strategies as st
from tests.fuzz.budget import fuzz
from tests.fuzz.strategies import as_bytes, changed_document, changed_text, odd_text, odd_value

from weclip.config_file import load_config
from weclip.data.classes import ClassList, parse_classes
from weclip.data.layouts.dataset_yaml import describe
from weclip.data.masks.mask_labels import parse_mask_labels
from weclip.system.untrusted.documents import parse_json, parse_xml, parse_yaml
from weclip.system.untrusted.text import is_usable, one_line, short, shown

pytestmark = pytest.mark.long

YAML_WORDS = (
    "- ", ": ", "? ", "&a ", "*a", "<<: *a", "!!int ", "!!float ", "!!binary ", "!!timestamp ",
    "!!set ", "!!omap ", "!!python/name:os.system ", "|\n", ">\n", "---\n", "...\n", "%YAML 1.1\n",
    "[", "]", "{", "}", "#", "'", '"', "\\x1b", "~", "yes", "1:30", "0o7", "1e5", ".inf", ".nan",
    "2020-99-99", "9" * 50, "9" * 5000, "[" * 99, "{a: " * 99, "\n ", "@", "`",
)  # fmt: skip
CLASSES = """\
classes:
  - name: bird
    prompt: bird avian
  - name: boat
    prompts: [boat, ship]
    colour: [0, 64, 255]
  - {name: cat, colour: '#0040FF'}
  - dog
background_words: [ground, sky]
"""
DATA = """\
images: pictures
tags: tags.csv
classes: [cat, {name: dog, prompt: dog hound}]
background_words: [grass, sky]
masks: drawn
mask_labels: {7: cat, '#FFFFFF': ignore}
split: {val: 0.2, seed: 0}
"""
ALIASES = "a: &a [x, &b {c: d}]\ne: [*a, *b]\nf: {<<: *b, g: 1}\n"
JSON = ['{"a": [1, 2.5, null, true], "b": {"c": "d\\u0041"}}', "[[[]], {}, 1e5]"]
JSON_WORDS = ("[", "]", "{", "}", ":", ",", '"', "\\u001b", "\\ud800", "NaN", "-Infinity", "1e999")
XML = ['<?xml version="1.0"?><a b="c"><d>e</d><f/>&amp;</a>', "<a><![CDATA[x]]></a>"]
XML_WORDS = (
    "<",
    ">",
    "/>",
    "&",
    "&#27;",
    "<!--",
    "-->",
    "<!DOCTYPE a [",
    "]]>",
    "<?",
    "xmlns:a=''",
)


def test_yaml():
    texts = changed_text([CLASSES, DATA, ALIASES], YAML_WORDS) | st.text(max_size=99)
    fuzz(texts, lambda text: parse_yaml(text, "file"))


def test_json():
    texts = changed_text(JSON, JSON_WORDS)
    content = texts.map(as_bytes) | st.binary(max_size=40)
    fuzz(texts | content, lambda text: parse_json(text, "file"))


def test_xml():
    content = changed_text(XML, XML_WORDS).map(as_bytes) | st.binary(max_size=40)
    fuzz(content, lambda text: parse_xml(text, "file"))


def test_class_lists():
    documents = changed_document([parse_yaml(CLASSES, ""), parse_yaml(DATA, "")])
    fuzz(documents, lambda document: parse_classes(document, "file"))


def test_mask_labels():
    classes = ClassList(("cat", "dog"), (("cat",), ("dog",)), ("sky",))
    documents = changed_document([{7: "cat", "#FFFFFF": "ignore", "[1, 2, 3]": "dog"}])
    fuzz(documents, lambda document: parse_mask_labels(document, classes, "file"))


def test_descriptions_of_data(tmp_path):
    def read(text):
        (tmp_path / "dataset.yaml").write_bytes(as_bytes(text))
        describe(tmp_path)

    (tmp_path / "pictures").mkdir()
    (tmp_path / "tags.csv").write_text("image,tags\n")
    fuzz(changed_text([DATA, CLASSES], YAML_WORDS), read)


CONFIG = """\
data: {root: photos, crop_size: 320}
train:
  steps: 30
  batch_size: 2
  learning_rate: 1e-5
eval: {scales: [0.5, 1.0], flip: true}
loss: {terms: [segmentation, affinity]}
"""
NEEDED = ["data.root=photos", "clip.weights=demo"]


def test_configurations(tmp_path):
    def read(text):
        (tmp_path / "my.yaml").write_bytes(as_bytes(text))
        load_config(str(tmp_path / "my.yaml"), NEEDED)

    fuzz(changed_text([CONFIG], YAML_WORDS), read)


def test_overrides():
    keys = "train.steps eval.scales loss.terms data.root train.batch_size eval.flip clip nothing"
    values = changed_text(["3", "[0.5, 1.0]", "true", "[segmentation]"], YAML_WORDS)
    texts = st.builds("{}={}".format, st.sampled_from(keys.split()), values)
    fuzz(texts | odd_text, lambda text: load_config("demo", [*NEEDED, text]))


def test_text():
    def show(value):
        for text in (short(value), shown(str(value)[:200]), one_line(value)):
            assert is_usable(text)

    fuzz(odd_value | st.from_type(object), show)
