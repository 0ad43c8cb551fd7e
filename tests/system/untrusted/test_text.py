"""Foreign text moves no cursor, and takes neither much room nor much time."""

import time

import pytest

from weclip.system.console import Screen
from weclip.system.errors import InputError
from weclip.system.untrusted.text import MOST, is_usable, listed, one_line, short, shown

CONTROLS = ["\x00", "\x1b[2J", "\x07", "\r", "\x7f", "\x9b31m", "\u2028", "\u2029", "\udce9"]


@pytest.mark.parametrize("control", CONTROLS)
def test_what_moves_a_cursor_is_written_out(control):
    assert not is_usable(f"a{control}b")
    for text in (shown(f"a{control}b"), short(f"a{control}b"), one_line(f"a{control}b")):
        assert is_usable(text)
        assert "a" in text
        assert "b" in text


@pytest.mark.parametrize("name", ["1.jpg", "é ß", "猫", "my photos", "a\u0301", "👍🏽"])
def test_names_of_people_are_left_as_they_are(name):
    assert is_usable(name)
    assert shown(name) == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        ([1, None], "[1, null]"),
        ({"a": "b"}, "{'a': 'b'}"),
        ("it's", '"it\'s"'),
        (b"\x00", r"b'\x00'"),
        (object(), "a object"),
    ],
)
def test_a_value_as_a_file_has_it(value, text):
    assert short(value) == text


def entangled(depth):
    value = ["x"]
    for _ in range(depth):
        value = [value] * 9
    return value


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**8,
        b"x" * 10**8,
        10**100_000,
        -(10**100_000),
        [[1] * 10**6] * 10**6,
        dict.fromkeys(range(10**6)),
        entangled(99),
        {"a": entangled(99)},
    ],
    ids=["text", "bytes", "number", "below zero", "list", "mapping", "entangled", "inside"],
)
def test_a_huge_value_is_short_and_quick(value):
    begin = time.perf_counter()
    assert len(short(value)) <= MOST
    assert time.perf_counter() - begin < 3


def test_a_value_in_itself():
    value = {}
    value["a"] = value
    assert short(value).startswith("{'a': ")


def test_names_of_many():
    assert listed(map(str, range(10)), 2) == "'0', '1' and 8 more"


def test_an_error_of_many_lines():
    assert one_line("a\n   b\tc\x1b") == r"a b c\x1b"
    assert len(one_line("x" * 10**6)) < 210


def test_a_screen_shows_controls_and_keeps_lines(capsys):
    screen = Screen(width=80)
    screen.print("one\ntwo \x1b[31m\x9b2J[bold]three[/]")
    assert capsys.readouterr().out == "one\ntwo \\x1b[31m\\x9b2Jthree\n"


def test_an_input_error_is_one_line_of_bounded_length():
    message = str(InputError(f"a file\n\x1b[2J{'x' * 10**6}; rename it"))
    assert message.startswith(r"a file\n\x1b[2Jxxx")
    assert message.endswith("xxx; rename it")
    assert len(message) < 1600
    assert str(InputError("two  spaces, é")) == "two  spaces, é"
