"""A tiny CLIP in a folder with a configuration."""

import json

import pytest
from safetensors.torch import save_file
from tests.backbones.tiny_clip import to_hugging_face

from weclip.backbones.clip.weights import load_clip


@pytest.fixture
def load(state, tmp_path):
    """Load the tiny CLIP with a configuration beside it, and perhaps other files."""

    def load_with(name, config, **others):
        theirs = name == "config.json"
        weights = "model.safetensors" if theirs else "open_clip_model.safetensors"
        save_file(to_hugging_face(state) if theirs else state, tmp_path / weights)
        for file, content in {name: config, **others}.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / file).write_text(text, encoding="utf-8")
        return load_clip(tmp_path)

    return load_with
