"""Names and prompts that say the same, or that CLIP cannot read, are found; others are not."""

import subprocess
import sys

import pytest

from weclip.backbones.clip.tokenizer import CONTEXT, count_tokens
from weclip.data.classes import SHIPPED, ClassList, load_classes, parse_classes
from weclip.data.inspection import names as module
from weclip.data.inspection.names import NAME_KINDS, name_warnings


def classes_of(*names, background=("ground", "sky"), **prompts):
    """A class list as its file gives it; `prompts` by name."""
    entries = [{"name": n, "prompts": prompts[n]} if n in prompts else n for n in names]
    document = {"classes": entries, "background_words": list(background)}
    return parse_classes(document, "classes.yaml")


def found(*names, **given):
    return name_warnings(classes_of(*names, **given), count_tokens)


SAME = {
    "case": (("Dog", "dog"), "by case, spaces or signs"),
    "signs": (("fire_hydrant", "fire-hydrant"), "by case, spaces or signs"),
    "spaces": (("dining table", "diningtable"), "by case, spaces or signs"),
    "full width": (("ｄｏｇ", "dog"), "by case, spaces or signs"),
    "left out": (("bicycle", "bicyle"), "by a letter"),
    "added": (("umbrella", "umbrellla"), "by a letter"),
    "swapped": (("chair", "chiar"), "by a letter"),
    "replaced": (("ambulance", "ambulence"), "by a letter"),
    "in one of two words": (("traffic light", "trafic light"), "by a letter"),
    "at the end": (("motorbike", "motorbik"), "by a letter"),
    "plural": (("dog", "dogs"), "as one and many"),
    "plural first": (("dogs", "dog"), "as one and many"),
    "plural in es": (("bus", "buses"), "as one and many"),
    "plural in ies": (("berry", "berries"), "as one and many"),
    "plural in ves": (("leaf", "leaves"), "as one and many"),
    "plural in ves of fe": (("knife", "knives"), "as one and many"),
    "irregular": (("person", "people"), "as one and many"),
    "plural of the last word": (("wine glass", "wine glasses"), "as one and many"),
    "plural with capitals": (("Car", "cars"), "as one and many"),
}


@pytest.mark.parametrize("kind", SAME)
def test_names_that_say_the_same(kind):
    (one, other), how = SAME[kind]
    similar = found(one, "tree frog", other)["similar_names"]
    assert similar == [f"{one} and {other} differ only {how}"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("house", "mouse"),  # both are words of CLIP's vocabulary
        ("horse", "house"),
        ("glass", "grass"),
        ("lemon", "melon"),
        ("train", "brain"),
        ("cat", "car"),
        ("boat", "goat"),
        ("type a", "type b"),
        ("class1", "class2"),
        ("zone01", "zone02"),
        ("left hand", "right hand"),
        ("baseball bat", "baseball glove"),
        ("stalagmite", "stalactite"),
        ("bus", "us"),
        ("dog", "hot dog"),
        ("Quercus alba", "Quercus rubra"),
        ("a", "b"),
        ("1.5 m", "15 m"),
        ("C", "C++"),
    ],
)
def test_names_that_are_two(one, other):
    assert found(one, other) == {}


def test_emoji_are_names_of_their_own():
    assert "similar_names" not in found("🐶", "🐱")


def test_prompts_tell_similar_names_apart():
    """The way out that the text names is one."""
    assert found("glass", "glasses").keys() == {"similar_names"}
    assert found("glass", "glasses", glass=["window pane"], glasses=["spectacles"]) == {}


def test_prompts_that_say_the_same_under_other_names():
    assert found("canine", "puppy", canine=["Dog"], puppy=["small animal", "dog"]) == {
        "similar_names": [
            "canine and puppy differ only by case, spaces or signs in their prompts, dog"
        ]
    }


def test_every_pair_once():
    assert len(found("dog", "Dog", "dogs", "cat")["similar_names"]) == 3


@pytest.mark.parametrize("word", ["sky", "Sky", "skies", "SKY"])
def test_a_class_among_the_background_words(word):
    assert found(word, "dog")["background_classes"] == [f"{word} is the background word sky"]


def test_a_prompt_among_the_background_words():
    assert found("floor", "dog", floor=["tiles", "ground"]) == {
        "background_classes": ["floor is the background word ground"]
    }


def test_a_word_of_a_prompt_is_no_background_word():
    assert found("road sign", "skyscraper", background=("road", "sign", "sky")) == {}


def test_prompts_that_are_cut():
    """77 tokens with start and end; the template counts too."""
    longest = " ".join(["dog"] * 75)
    assert name_warnings(classes_of("pet", pet=[longest]), count_tokens) == {}
    too_long = classes_of("pet", pet=[longest + " dog dog"])
    shown = f"pet: '{'dog ' * 10}...' has 79 tokens, 77 are read and 2 cut off"
    assert name_warnings(too_long, count_tokens)["long_prompts"] == [shown]
    templates = ("{}", "a photo of a {}.")  # five tokens more
    in_template = name_warnings(classes_of("pet", pet=[longest]), count_tokens, templates=templates)
    assert "has 82 tokens, 77 are read and 5 cut off" in in_template["long_prompts"][0]
    assert name_warnings(too_long, count_tokens, context=79) == {}


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("собака", 6),
        ("кот", 4),
        ("自行车", 9),
        ("狗", 3),
        ("كلب", 3),
        ("Eichhörnchen", 5),
        ("n02084071", 9),
        ("otorhinolaryngology", 8),
    ],
)
def test_names_that_clip_hardly_knows(name, pieces):
    text = f"{name}: '{name}' is {pieces} pieces to CLIP"
    assert found(name, "dog") == {"foreign_names": [text]}


def test_english_prompts_are_the_way_out():
    assert found("собака", "dog", **{"собака": ["puppy"]}) == {}
    assert found("собака", "cat", **{"собака": ["puppy", "собака"]}).keys() == {"foreign_names"}


@pytest.mark.parametrize(
    "name",
    "rhinoceros chrysanthemum lymphocyte pottedplant photovoltaic café α-helix t-shirt "
    "tyrannosaurus 747-400".split(),
)
def test_long_english_words_are_known(name):
    assert found(name, "dog") == {}


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("faithful", [False, True])
def test_no_false_alarm_on_the_shipped_lists(name, faithful):
    classes = load_classes(name, faithful=faithful)
    assert name_warnings(classes, count_tokens, templates=["a clean origami {}."]) == {}


def test_names_of_the_shipped_lists_with_default_background_words():
    """As in a folder of one's own: the words of `voc` that no prompt holds."""
    for name in SHIPPED:
        document = {"classes": list(load_classes(name).names)}
        assert name_warnings(parse_classes(document, "classes.yaml"), count_tokens) == {}


def test_every_kind_says_the_way_out():
    assert list(found("Sky", "sky", "собака", "long", long=["dog " * 99])) == list(NAME_KINDS)
    for severity, text in NAME_KINDS.values():
        assert severity == "warning"
        assert "'prompts:'" in text
        assert "\n" not in text


def test_as_many_classes_as_a_mask_holds():
    names = [f"{a}{b}" for a in "bcdfghjklmnpqrst" for b in ("an", "en", "in", "on", "un")] * 3
    many = ClassList(tuple(names), tuple((n,) for n in names), ("sky",))
    calls = []
    name_warnings(many, lambda text: calls.append(text) or 3)
    assert len(calls) < 10 * len(names)  # not once for each pair


def test_the_limit_is_clips():
    assert module.CONTEXT == CONTEXT


def test_counting_needs_no_pytorch():
    code = (
        "import sys; from weclip.backbones.clip.tokenizer import count_tokens; "
        "assert count_tokens('a cat') == 4; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
