"""No number of a configuration is endless, whoever adds the next one."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from tests.test_config import NEEDED

from weclip.config_file import from_yaml, load_config, override, to_yaml
from weclip.config_schema import schema
from weclip.system.errors import InputError

HUGE = ("100000000000", "-100000000000", "1000000000000000000")
NO_NUMBERS = (".inf", "-.inf", ".nan", "1e18", "1e308")
FREE: tuple[str, ...] = ()
"""Settings that need no bounds; none so far."""


def settings(section: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and type of every setting, those of parts too."""
    types = get_type_hints(section)
    for field in fields(section):
        kind = types[field.name]
        if is_dataclass(kind):
            yield from settings(kind, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, kind


def numbers() -> list[tuple[str, Any]]:
    """Settings of numbers, and of lists of numbers."""
    found = []
    for key, kind in settings(schema()):
        inner = {kind, *get_args(kind)}
        if {int, float} & inner:
            found.append((key, kind))
    return found


def test_the_walk_finds_the_settings():
    found = dict(numbers())
    assert found["train.steps"] == int | str
    assert found["data.scale_range"] == tuple[float, float]
    assert found["label.confidence"] == float | None
    assert found["method.weclip.width"] is int
    assert len(found) > 70


def values(kind: Any) -> Iterator[str]:
    """Texts that no setting of this kind may have."""
    inner = {kind, *get_args(kind)}
    for each in HUGE + (NO_NUMBERS if float in inner else ()):
        if get_origin(kind) is not tuple:
            yield each
        elif Ellipsis in inner:
            yield f"[{each}]"
        else:
            yield f"[{each},{each}]"
    if Ellipsis in inner:
        yield str([1] * 2000)


CASES = [(key, value) for key, kind in numbers() if key not in FREE for value in values(kind)]


@pytest.fixture(scope="module")
def config():
    return load_config("voc", NEEDED)


@pytest.mark.parametrize(("key", "value"), CASES, ids=[f"{k}={v[:30]}" for k, v in CASES])
def test_every_number_has_bounds(config, key, value):
    with pytest.raises(InputError, match=key.rpartition(".")[2]) as caught:
        override(config, [f"{key}={value}"])
    assert len(str(caught.value)) < 500


def test_stored_configurations_have_the_same_bounds(config):
    text = to_yaml(config).replace("width: 256", "width: 1000000")
    with pytest.raises(InputError, match=r"method\.\w+\.width=1000000 is not allowed"):
        from_yaml(text, "model.safetensors")


def test_lists_of_texts_are_not_endless(config):
    templates = ["a photo of a {}."] * 2000
    with pytest.raises(InputError, match="more_templates") as caught:
        override(config, [f"clip.more_templates={templates}"])
    assert len(str(caught.value)) < 500
