from pathlib import Path

import pytest

from weclip.data.classes import ClassList, load_classes
from weclip.errors import InputError


def changed_prompts(classes: ClassList) -> dict[str, str]:
    return {n: p for n, p in zip(classes.names, classes.prompts, strict=True) if n != p}


def test_voc_facts() -> None:
    voc = load_classes("voc")
    assert voc.num_classes == 21
    assert voc.names_with_background[0] == "background"
    assert voc.names_with_background[15] == "person"
    assert voc.names_with_background[20] == "tvmonitor"
    assert changed_prompts(voc) == {
        "bird": "bird avian",
        "chair": "chair seat",
        "person": "person with clothes,people,human",
        "tvmonitor": "tvmonitor screen",
    }
    assert len(voc.background_words) == 25


def test_coco_facts() -> None:
    coco = load_classes("coco")
    assert coco.num_classes == 81
    by_id = {1: "person", 10: "traffic light", 20: "cow", 40: "bottle", 61: "dining table"}
    assert {i: coco.names_with_background[i] for i in by_id} == by_id
    assert coco.names[-1] == "toothbrush"
    assert len(changed_prompts(coco)) == 17
    assert changed_prompts(coco)["hair drier"] == "hairdrier,blowdrier"
    voc_words = load_classes("voc").background_words
    assert coco.background_words == tuple(w for w in voc_words if w not in ("keyboard", "sign"))


def test_the_released_typo_is_kept_only_when_faithful() -> None:
    default, faithful = load_classes("coco"), load_classes("coco", faithful=True)
    assert default.prompts[default.index("snowboard")] == "snowboard"
    assert faithful.prompts[default.index("snowboard")] == "sknowboard"
    assert sum(a != b for a, b in zip(default.prompts, faithful.prompts, strict=True)) == 1


def test_demo_is_voc_without_diningtable() -> None:
    voc, demo = load_classes("voc"), load_classes("demo")
    keep = [i for i, name in enumerate(voc.names) if name != "diningtable"]
    assert demo.names == tuple(voc.names[i] for i in keep)
    assert demo.prompts == tuple(voc.prompts[i] for i in keep)
    assert demo.background_words == voc.background_words
    assert demo.num_classes == 20


def test_index() -> None:
    voc = load_classes("voc")
    assert voc.index("aeroplane") == 0
    with pytest.raises(KeyError, match="unicorn"):
        voc.index("unicorn")


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "classes:\n- name: cat\n- {name: dog, prompt: dog hound}\nbackground_words: [grass]\n",
        encoding="utf-8",
    )
    expected = ClassList(("cat", "dog"), ("cat", "dog hound"), ("grass",))
    assert load_classes(path) == load_classes(str(path)) == ClassList.from_file(path) == expected


def test_short_entries_and_default_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("classes: [hot_dog, {name: oak, prompt: Tree (oak)}]\n")
    classes = load_classes(path)
    assert classes.names == ("hot_dog", "oak")
    assert classes.prompts == ("hot dog", "Tree (oak)")
    voc_words = load_classes("voc").background_words
    assert classes.background_words == tuple(word for word in voc_words if word != "tree")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.yaml: expected the keys classes and background_words"),
        ("clases: []", "mine.yaml: unknown key 'clases'; did you mean 'classes'"),
        ("x: []", "unknown key 'x'; known keys: classes, background_words"),
        ("classes: []", "mine.yaml: 'classes' must be a list with at least one item"),
        ("classes: [cat]\nbackground_words: sky", "mine.yaml: 'background_words' must be a list"),
        ("classes: [cat]\nbackground_words: []", "mine.yaml: 'background_words' must be a list"),
        ("classes: [{name: a, promt: b}]", "class 1: unknown key 'promt'; did you mean 'prompt'"),
        ("classes: [3]", "class 1: expected 'name: ...'"),
        ("classes: [' ']", "class 1: name: ' ' is not a text"),
        ("classes: [hot_dog, hot dog]", "prompt 'hot dog' appears 2 times"),
        ("classes: [{name: no}]", "class 1: name: False is not a text; write it in quotes"),
        ("classes: [{name: ' '}]", "class 1: name: ' ' is not a text"),
        ("classes: [{name: background}]", "class 1: the name 'background' is taken by id 0"),
        ("classes: [{name: a;b}]", "class 1: 'a;b' contains ';'"),
        ("classes: [{name: a}, {name: a}]", "class name 'a' appears 2 times"),
        ("classes: [{name: a}, {name: b, prompt: a}]", "prompt 'a' appears 2 times"),
        ("classes: [\n", "mine.yaml: class list is not valid YAML"),
    ],
)
def test_malformed_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"mine.yaml") as error:
        load_classes(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_duplicate_background_word(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("classes: [{name: a}]\nbackground_words: [sky, sky]")
    with pytest.raises(InputError, match=r"mine.yaml: background word 'sky' appears 2 times"):
        load_classes(path)


def test_too_many_classes(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    names = ", ".join(f"{{name: c{i}}}" for i in range(255))
    path.write_text(f"classes: [{names}]\nbackground_words: [sky]")
    with pytest.raises(InputError, match=r"mine.yaml: 255 classes; at most 254 fit"):
        load_classes(path)


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.yaml: class list not found"):
        ClassList.from_file(tmp_path / "gone.yaml")
    with pytest.raises(InputError, match="class list cannot be read"):
        ClassList.from_file(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"classes: [\xff]")
    with pytest.raises(InputError, match=r"latin.yaml: class list cannot be read"):
        load_classes(tmp_path / "latin.yaml")


def test_unknown_list() -> None:
    with pytest.raises(
        InputError, match="'vocc' is neither a file nor one of voc, coco, demo; did"
    ):
        load_classes("vocc")
    with pytest.raises(InputError, match="give the path of a YAML file"):
        load_classes("nowhere/my_classes")
