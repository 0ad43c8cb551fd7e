"""What is known, found, told or assumed of how a CLIP computes."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.clip.configuration.computed import settings_in
from tests.backbones.tiny_clip import (
    HUGGING_FACE,
    OPEN_CLIP,
    changed,
    openai_shapes,
)

from weclip.backbones.clip.configuration.computation import KNOWN, settle
from weclip.backbones.clip.weights import load_clip
from weclip.backbones.named import demo_weights
from weclip.backbones.transformer import BlockSettings
from weclip.prepare.sources import PUBLISHED
from weclip.system.errors import InputError
from weclip.system.files import sha256_of


def test_the_configuration_of_its_own_library_comes_first(load):
    """LAION's folders hold both."""
    theirs = {"model_cfg": OPEN_CLIP}
    clip = load("open_clip_config.json", theirs, **{"config.json": HUGGING_FACE})
    assert settings_in(clip.image).activation == "gelu"
    clip = load("config.json", HUGGING_FACE, **{"open_clip_config.json": theirs})
    assert settings_in(clip.image).activation == "quick_gelu"  # model.safetensors: Transformers'


def test_a_file_named_directly_reads_what_lies_beside_it(state, tmp_path):
    save_file(state, tmp_path / "my.safetensors")
    config = changed(HUGGING_FACE, vision_config__hidden_act="gelu", text_config__hidden_act="gelu")
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert settings_in(load_clip(tmp_path / "my.safetensors").text).activation == "gelu"


def test_another_models_configuration_beside_a_file(state, tmp_path):
    """A folder of many weights: the configuration of a BERT says nothing of this file."""
    torch.save(state, tmp_path / "ViT-B-16.pt")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 768}')
    clip = load_clip(tmp_path / "ViT-B-16.pt")
    assert settings_in(clip.image) == BlockSettings(1, "quick_gelu")
    assert "nothing tells its activation" in clip.note


def test_what_is_assumed_is_said(state, tmp_path):
    torch.save(state, tmp_path / "clip.pt")
    clip = load_clip(tmp_path / "clip.pt")
    assert settings_in(clip.image) == settings_in(clip.text) == BlockSettings(1, "quick_gelu")
    assert clip.note == (
        f"{tmp_path / 'clip.pt'}: nothing tells its activation; quick_gelu, as in OpenAI's, is "
        "assumed. CLIPs of LAION, DataComp and OpenCLIP mostly need gelu: set "
        "clip.activation=gelu, or put config.json or open_clip_config.json beside the weights"
    )


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_what_is_told_is_computed_without_a_word(activation, state, tmp_path):
    torch.save(state, tmp_path / "clip.pt")
    clip = load_clip(tmp_path / "clip.pt", activation)
    assert settings_in(clip.image) == settings_in(clip.text) == BlockSettings(1, activation)
    assert clip.note is None


def test_overruling_a_configuration_is_said(load, tmp_path):
    load("open_clip_config.json", {"model_cfg": OPEN_CLIP})
    clip = load_clip(tmp_path, "quick_gelu")
    assert settings_in(clip.image) == BlockSettings(1, "quick_gelu")
    assert clip.note == (
        f"{tmp_path / 'open_clip_model.safetensors'}: {tmp_path / 'open_clip_config.json'} says "
        "gelu, but clip.activation=quick_gelu is computed; clip.activation=auto follows the weights"
    )
    assert load_clip(tmp_path, "gelu").note is None


@pytest.mark.parametrize("activation", ["GELU", "relu", "", "quickgelu"])
def test_an_activation_that_there_is_not(activation, tmp_path):
    message = f"clip.activation={activation} is not allowed; it must be auto or quick_gelu or gelu"
    with pytest.raises(InputError, match=message):
        load_clip(tmp_path / "nothing.pt", activation)


def test_known_weights_need_no_configuration():
    """OpenAI's by the SHA-256 that `prepare` knows too, and the demo's."""
    published = {source.checksum for source in PUBLISHED.values() if source.name.startswith("ViT")}
    assert {checksum.removeprefix("sha256:") for checksum in published} <= KNOWN.keys()
    assert KNOWN[sha256_of(demo_weights("clip"))] == "the demo's CLIP"
    assert all(len(digest) == 64 for digest in KNOWN)
    clip = load_clip(demo_weights("clip"))
    assert clip.note is None
    assert settings_in(clip.text) == BlockSettings(1, "quick_gelu")


def test_known_weights_follow_no_configuration(tmp_path):
    """Whatever else lies in the folder."""
    (tmp_path / "clip.safetensors").write_bytes(demo_weights("clip").read_bytes())
    (tmp_path / "open_clip_config.json").write_text(json.dumps(OPEN_CLIP))
    (tmp_path / "merges.txt").write_text("a b\n")
    clip = load_clip(tmp_path / "clip.safetensors")
    assert settings_in(clip.image).activation == "quick_gelu"
    assert clip.note is None
    overruled = load_clip(tmp_path / "clip.safetensors", "gelu")
    assert "the demo's CLIP was trained with quick_gelu, but clip.activation=gelu" in overruled.note


@pytest.mark.parametrize(("width", "heads"), [(1280, 16), (1408, 16), (1664, 16), (768, 12)])
def test_heads_of_published_widths_without_a_configuration(width, heads):
    """OpenCLIP's H/14, g/14 and bigG/14 have heads of 80, 88 and 104 channels."""
    state = {"visual.class_embedding": torch.zeros(width), "ln_final.weight": torch.zeros(1280)}
    how = settle(Path("H.pt"), state, None, known=None, activation="gelu")
    assert how.image == BlockSettings(heads, "gelu")
    assert how.text == BlockSettings(20, "gelu")  # bigG's text encoder is as wide as H's images


def test_heads_that_nothing_tells(tmp_path):
    shapes = openai_shapes(
        width=96, blocks=2, patch=4, grid=3, joint=32, text_width=16, text_blocks=1
    )
    save_file({k: torch.zeros(v) for k, v in shapes.items()}, tmp_path / "odd.safetensors")
    message = (
        "class_embedding has width 96, not a multiple of 64, so nothing tells the number of heads; "
        r"put config\.json or open_clip_config\.json beside the weights"
    )
    with pytest.raises(InputError, match=message):
        load_clip(tmp_path / "odd.safetensors")
    config = changed(OPEN_CLIP, vision_cfg__width=96, vision_cfg__head_width=32, text_cfg__layers=1)
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    assert settings_in(load_clip(tmp_path / "odd.safetensors").image).heads == 3
