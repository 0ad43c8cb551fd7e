"""A tokenizer beside the weights is OpenAI's, or refused."""

import json

import pytest
from tests.backbones.tiny_clip import (
    HUGGING_FACE,
)

from weclip.backbones.clip.tokenizer import merge_table
from weclip.system.errors import InputError


def merges_text(pairs):
    return "\n".join(["#version: 0.2", *(" ".join(pair) for pair in pairs), ""])


def swapped():
    first, second, *rest = merge_table()
    return [second, first, *rest]


TOKENIZERS = {
    "merges.txt": merges_text,
    "tokenizer.json": lambda pairs: json.dumps({"model": {"merges": [" ".join(p) for p in pairs]}}),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_openais_tokenizer_beside_the_weights(name, load):
    load("config.json", HUGGING_FACE, **{name: TOKENIZERS[name](merge_table())})


def test_pairs_written_as_lists(load):
    content = {"model": {"merges": [list(pair) for pair in merge_table()]}}
    load("config.json", HUGGING_FACE, **{"tokenizer.json": content})


@pytest.mark.parametrize("name", TOKENIZERS)
def test_another_merge_table_is_refused(name, load):
    """A vocabulary of the same size that cuts words otherwise."""
    with pytest.raises(InputError, match=f"{name}: another tokenizer than OpenAI's"):
        load("config.json", HUGGING_FACE, **{name: TOKENIZERS[name](swapped())})


@pytest.mark.parametrize("model", [{"type": "WordPiece"}, None, {"merges": [7]}])
def test_another_kind_of_tokenizer_is_refused(model, load):
    with pytest.raises(InputError, match=r"tokenizer\.json: another tokenizer than OpenAI's"):
        load("config.json", HUGGING_FACE, **{"tokenizer.json": {"model": model}})
