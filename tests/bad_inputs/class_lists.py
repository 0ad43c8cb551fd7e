"""Class lists: no YAML, names that YAML reads as something else, names twice, too many."""

from tests.bad_inputs.case import TRAIN_FOLDER, Case

WORDS = "background_words: [grass, sky]\n"


def _case(name: str, wrong: str, content: str | bytes, line: str) -> Case:
    return Case(
        f"classes-{name}", wrong, TRAIN_FOLDER, line, files={"photos/classes.yaml": content}
    )


def _names(*names: str) -> str:
    return "classes:\n" + "".join(f"  - name: {name}\n" for name in names) + WORDS


CASES = (
    Case(
        "classes-not-found",
        "A file that is not there",
        f"{TRAIN_FOLDER} data.classes=my.yaml",
        "class list 'my.yaml' is neither a file nor one of voc, voc-corrclip, coco, demo; give the path of a YAML file",
    ),
    Case(
        "classes-misspelt",
        "A misspelt name",
        f"{TRAIN_FOLDER} data.classes=vocc",
        "class list 'vocc' is neither a file nor one of voc, voc-corrclip, coco, demo; did you mean 'voc'?",
    ),
    _case(
        "empty",
        "No bytes",
        "",
        "photos/classes.yaml: expected the keys classes and background_words",
    ),
    _case(
        "tab",
        "YAML indented by a tab",
        "classes:\n\t- name: bird\n",
        "photos/classes.yaml: class list is not valid YAML (line 2: ...",
    ),
    _case(
        "latin-1",
        "Latin-1",
        "classes:\n  - name: caf\xe9\n".encode("latin-1"),
        "photos/classes.yaml: class list cannot be read; save it as UTF-8 text",
    ),
    _case(
        "no-background",
        "An empty list of background words",
        "classes:\n  - name: bird\nbackground_words: []\n",
        "photos/classes.yaml: 'background_words' must be a list with at least one item",
    ),
    _case(
        "key-misspelt",
        "A misspelt key",
        "classs:\n  - name: bird\n" + WORDS,
        "photos/classes.yaml: unknown key 'classs'; did you mean 'classes'?",
    ),
    _case(
        "entry-key-misspelt",
        "A misspelt key of a class",
        "classes:\n  - {name: bird, promt: a bird}\n" + WORDS,
        "photos/classes.yaml: class 1: unknown key 'promt'; did you mean 'prompt'?",
    ),
    _case(
        "name-no",
        "`no`, which YAML reads as false",
        _names("yes", "no"),
        "photos/classes.yaml: class 1: name: true is not a text; write it in quotes",
    ),
    _case(
        "name-number",
        "A number as name",
        _names("bird", "7"),
        "photos/classes.yaml: class 2: name: 7 is not a text; write it in quotes",
    ),
    _case(
        "name-null",
        "An empty name",
        _names("bird", ""),
        "photos/classes.yaml: class 2: name: null is not a text; write it in quotes",
    ),
    _case(
        "name-background",
        "Background as a class",
        _names("background", "bird"),
        "photos/classes.yaml: class 1: the name 'background' is taken by id 0; leave it out",
    ),
    _case(
        "name-semicolon",
        "A semicolon in a name",
        _names("'bird; big'"),
        "photos/classes.yaml: class 1: 'bird; big' contains ';', which separates tags in tags files",
    ),
    _case(
        "name-twice",
        "A name twice",
        _names("bird", "cat", "bird"),
        "photos/classes.yaml: class name 'bird' appears 2 times; each may appear once",
    ),
    _case(
        "300",
        "300 classes",
        _names(*(f"class {i}" for i in range(300))),
        "photos/classes.yaml: 300 classes; at most 254 fit a uint8 mask",
    ),
    _case(
        "renamed",
        "A class that tags still have under its old name",
        _names("bird", "cat", "hound"),
        "photos/tags.jsonl, line 3: unknown class 'dog'; known classes: bird, cat, hound",
    ),
)
