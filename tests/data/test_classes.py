from pathlib import Path

import pytest

from weclip.data.classes import ClassList, load_classes, parse_classes
from weclip.data.masks.colours import VOC_COLOURS
from weclip.system.errors import InputError


def changed_prompts(classes: ClassList) -> dict[str, str]:
    pairs = zip(classes.names, classes.prompts, strict=True)
    return {name: prompt for name, (prompt,) in pairs if name != prompt}


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
    assert default.prompts[default.index("snowboard")] == ("snowboard",)
    assert faithful.prompts[default.index("snowboard")] == ("sknowboard",)
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
        "classes:\n- cat\n- {name: dog, prompt: dog hound}\n"
        "- {name: boat, prompts: [boat, ship], colour: [1, 2, 3]}\n"
        "- {name: bus, colour: '#0a0B0c'}\n"
        "background_words: [grass]\n",
        encoding="utf-8",
    )
    expected = ClassList(
        ("cat", "dog", "boat", "bus"),
        (("cat",), ("dog hound",), ("boat", "ship"), ("bus",)),
        ("grass",),
        ((128, 0, 0), (0, 128, 0), (1, 2, 3), (10, 11, 12)),
    )
    assert load_classes(path) == load_classes(str(path)) == ClassList.from_file(path) == expected


def test_underscores_and_default_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("classes: [hot_dog, {name: oak_tree, prompt: Tree (oak)}]\n")
    classes = load_classes(path)
    assert classes.names == ("hot_dog", "oak_tree")
    assert classes.prompts == (("hot dog",), ("Tree (oak)",))
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
        ("classes: [' ']", "class 1: name: ' ' is not a text"),
        ("classes: [hot_dog, hot dog]", "prompt 'hot dog' appears 2 times"),
        ("classes: [{name: a, promt: b}]", "class 1: unknown key 'promt'; did you mean 'prompt'"),
        ("classes: [3]", "class 1: expected a name, or 'name: ...'"),
        ("classes: [no]", "class 1: expected a name, or 'name: ...'"),
        ("classes: [{name: a, prompt: b, prompts: [c]}]", "class 1: give either 'prompt' or"),
        (
            "classes: [{name: a, prompts: []}]",
            "class 1: 'prompts' must be a list with at least one",
        ),
        ("classes: [{name: a, prompts: b}]", "class 1: 'prompts' must be a list with at least one"),
        ("classes: [{name: a, prompts: [b, 3]}]", "class 1: prompts: item 2: 3 is not a text"),
        ("classes: [{name: a, prompts: [b, b]}]", "class 1: prompt 'b' appears 2 times"),
        ("classes: [{name: a, prompts: [c, b]}, b]", "mine.yaml: prompt 'b' appears 2 times"),
        ("classes: [{name: a, color: [1, 2, 3]}]", "unknown key 'color'; did you mean 'colour'"),
        ("classes: [{name: a, colour: [1, 2]}]", "class 1: colour: [1, 2] is not a colour; write"),
        ("classes: [{name: a, colour: [1, 2, 256]}]", "class 1: colour: [1, 2, 256] is not a"),
        ("classes: [{name: a, colour: [1, 2, -1]}]", "class 1: colour: [1, 2, -1] is not a"),
        ("classes: [{name: a, colour: [1, 2, yes]}]", "class 1: colour: [1, 2, true] is not a"),
        ("classes: [{name: a, colour: '#12345'}]", "class 1: colour: '#12345' is not a colour"),
        ("classes: [{name: a, colour: }]", "class 1: colour: null is not a colour; write"),
        (
            "classes: [{name: a, colour: [0, 128, 0]}, b]",
            "class 'b' has the colour [0, 128, 0] (#008000) of class 'a'; give another 'colour'",
        ),
        ("classes: [{name: a, colour: [0, 0, 0]}]", "class 'a' has the colour [0, 0, 0] (#000000)"),
        ("classes: [{name: a, colour: [0, 0, 0]}]", "of the background"),
        ("classes: [{name: a, colour: [224, 224, 192]}]", "of ignored pixels (255)"),
        ("classes: [{name: no}]", "class 1: name: false is not a text; write it in quotes"),
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


def test_a_parsed_document_says_where_it_stands() -> None:
    document = {"classes": ["cat", {"name": "dog", "colour": "#ffffff"}], "background_words": ["a"]}
    expected = ClassList(("cat", "dog"), (("cat",), ("dog",)), ("a",), ((128, 0, 0), (255,) * 3))
    assert parse_classes(document, "dataset.yaml") == expected
    with pytest.raises(InputError, match=r"^dataset.yaml, key 'x': expected the keys classes and"):
        parse_classes(["cat"], "dataset.yaml, key 'x'")


def test_faithful_prompt_replaces_all_others() -> None:
    entry = {"name": "a", "prompts": ["b", "c"], "faithful_prompt": "d"}
    document = {"classes": [entry], "background_words": ["sky"]}
    assert parse_classes(document, "x").prompts == (("b", "c"),)
    assert parse_classes(document, "x", faithful=True).prompts == (("d",),)


def test_colours_by_id_and_by_name() -> None:
    classes = ClassList(("cat", "dog"), (("cat",), ("dog",)), ("a",), ((1, 2, 3), (4, 5, 6)))
    palette = classes.palette.tolist()
    assert palette[:3] == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert palette[3:] == VOC_COLOURS[3:].tolist()
    assert classes.colours_by_name == {
        "background": (0, 0, 0),
        "cat": (1, 2, 3),
        "dog": (4, 5, 6),
    }
    assert (load_classes("voc").palette == VOC_COLOURS).all()


def test_as_many_prompts_and_colours_as_names() -> None:
    with pytest.raises(ValueError, match="2 names, 1 prompts and 2 colours"):
        ClassList(("cat", "dog"), (("cat",),), ("a",))


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
        InputError, match="'vocc' is neither a file nor one of voc, voc-corrclip, coco, demo; did"
    ):
        load_classes("vocc")
    with pytest.raises(InputError, match="give the path of a YAML file"):
        load_classes("nowhere/my_classes")
