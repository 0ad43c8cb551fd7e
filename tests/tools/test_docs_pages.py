"""Pages of the documentation that are made from the code hold all of it."""

import re
from dataclasses import fields, is_dataclass

import pytest
from typer.main import get_command

from weclip import parts
from weclip.cli.app import app
from weclip.config_file import load_config
from weclip.config_schema import schema


def names_of(kind: type, prefix: str = "") -> list[str]:
    """Dotted keys of a class of the configuration."""
    return [
        name
        for each in fields(kind)
        for name in (
            names_of(each.type, f"{prefix}{each.name}.")
            if is_dataclass(each.type)
            else [prefix + each.name]
        )
    ]


@pytest.fixture
def keys(tool):
    return {key.name: key for key in tool("docs_keys").all_keys()}


def test_every_key_is_there_once(tool, keys):
    assert sorted(keys) == sorted(names_of(schema()))
    rows = re.findall(r"^\| `([\w.]+)` \|", tool("docs_keys").page(), flags=re.MULTILINE)
    assert sorted(rows) == sorted(keys)


def test_a_key_says_what_the_configuration_says(keys):
    steps, box = keys["train.steps"], keys["affinity.attention.box_threshold"]
    assert (steps.default, steps.kind) == ("30000", "whole number or auto")
    assert steps.presets["folder"] == "auto"
    assert "voc" not in steps.presets
    assert box.default == str(parts.shipped()["affinity", "attention"].box_threshold)
    assert "CLIP-ES" in box.source
    assert box.presets["method excel, where faithful=true data.classes=coco"] == "0.88"
    assert (
        keys["cam.source"].allowed
        == "one of gradcam, patch_text, region_attention, text_probability"
    )
    assert keys["train.precision"].allowed == "one of auto, float32, bf16, fp16"
    assert keys["data.flip_probability"].allowed == "number, from 0 to 1"
    assert keys["data.scale_range"].kind == "2 numbers"
    assert keys["clip.description_clusters"].source.startswith("k-means")
    assert keys["quirks.exclusive_box_edge"].default == "null"
    assert keys["quirks.exclusive_box_edge"].source


@pytest.mark.parametrize("preset", ["voc", "coco", "demo"])
def test_presets_that_differ_have_their_values(tool, keys, preset):
    written = tool("docs_keys").written
    config = load_config(preset, ["data.root=x", "clip.weights=x"])
    for name, key in keys.items():
        if name not in ("data.root", "clip.weights"):
            value = config
            for part in name.split("."):
                value = getattr(value, part)
            assert key.presets.get(preset, key.default) == written(value), name


def test_every_option_of_every_command_is_there(tool):
    sections = tool("docs_commands").page().split("\n## weclip ")[1:]
    commands = get_command(app).commands
    assert [section.split("\n")[0] for section in sections] == sorted(commands)
    for section in sections:
        command = commands[section.split("\n")[0]]
        rows = re.findall(r"^\| `(?:-h, )?([^ `]+)", section, flags=re.MULTILINE)
        context = command.make_context("x", [], resilient_parsing=True)
        options = [o for each in command.get_params(context) for o in each.opts if o[:2] == "--"]
        assert set(options) <= set(rows)
        assert "weclip" in section.split("```bash\n")[1]
