"""Transformers' configuration beside the weights is computed, or refused by name."""

import json

import pytest
from tests.backbones.clip.configuration.computed import assert_refused, settings_in
from tests.backbones.clip.test_weights import assert_holds
from tests.backbones.tiny_clip import (
    DELETED,
    HUGGING_FACE,
    changed,
)

from weclip.backbones.transformer import BlockSettings
from weclip.system.errors import InputError

HUGGING_FACE_ACCEPTED = {
    "as stored": ({}, BlockSettings(1, "quick_gelu")),
    "laion": (
        {"vision_config__hidden_act": "gelu", "text_config__hidden_act": "gelu"},
        BlockSettings(1, "gelu"),
    ),
    "heads": (
        {"vision_config__num_attention_heads": 16, "text_config__num_attention_heads": 16},
        BlockSettings(16, "quick_gelu"),
    ),
    "epsilon": (
        {"vision_config__layer_norm_eps": 1e-6, "text_config__layer_norm_eps": 1e-6},
        BlockSettings(1, "quick_gelu", 1e-6),
    ),
    "what changes nothing": (
        {
            "architectures": ["CLIPModel"],
            "torch_dtype": "float32",
            "transformers_version": "4.24.0",
            "text_config_dict": None,
            "logit_scale_init_value": 2.6592,
            "vision_config__attention_dropout": 0.1,
            "vision_config__dropout": 0.1,
            "vision_config__model_type": "clip_vision_model",
            "vision_config__num_channels": 3,
            "vision_config__projection_dim": 512,
            "vision_config__pruned_heads": {},
            "text_config__eos_token_id": 2,
            "text_config__bos_token_id": 0,
            "text_config__top_k": 50,
            "text_config__a_future_key": None,
        },
        BlockSettings(1, "quick_gelu"),
    ),
    "no type": ({"model_type": DELETED}, BlockSettings(1, "quick_gelu")),
}


@pytest.mark.parametrize("kind", HUGGING_FACE_ACCEPTED)
def test_hugging_face_is_computed(kind, load, state):
    changes, expected = HUGGING_FACE_ACCEPTED[kind]
    clip = load("config.json", changed(HUGGING_FACE, **changes))
    assert settings_in(clip.image) == settings_in(clip.text) == expected
    assert clip.note is None
    assert_holds(clip, state)


HUGGING_FACE_REFUSED = {
    "siglip": ({"model_type": "siglip"}, "model_type is 'siglip': only 'clip' is computed here"),
    "chinese": ({"model_type": "chinese_clip"}, "model_type is 'chinese_clip'"),
    "another text": ({"text_config__model_type": "bert"}, "text_config.model_type is 'bert'"),
    "activation": (
        {"text_config__hidden_act": "gelu_new"},
        "text_config.hidden_act is 'gelu_new': only quick_gelu and gelu are computed here",
    ),
    "code": ({"auto_map": {"AutoModel": "m.Clip"}}, "auto_map is .*: this key is not understood"),
    "quantised": ({"quantization_config": {"bits": 4}}, "quantization_config is"),
    "pruned": ({"vision_config__pruned_heads": {"0": [1]}}, "pruned_heads is"),
    "unknown": ({"vision_config__rope": True}, "vision_config.rope is true: this key is not"),
    "end of text": ({"text_config__eos_token_id": 102}, "eos_token_id is 102: only 2 or 49407"),
    "channels": ({"vision_config__num_channels": 4}, "num_channels is 4: only 3 is computed"),
    "vocabulary": ({"text_config__vocab_size": 21128}, "vocab_size is 21128 .* have 49408"),
    "positions": ({"text_config__max_position_embeddings": 248}, "is 248 .* have 77"),
    "heads": ({"vision_config__num_attention_heads": 7}, "7 heads do not divide the width 64"),
    "default heads": (
        {"vision_config__num_attention_heads": DELETED},
        "num_attention_heads is 12: 12 heads do not divide the width 64",
    ),
    "default width": (
        {"text_config": {}},
        r"text_config\.hidden_size is 512 \(a default where it is left out\), .* have 16",
    ),
    "no towers": (
        {"vision_config": DELETED, "text_config": None},
        "hidden_size is 768 .* have 64",
    ),
    "older words": ({"text_config_dict": {"hidden_act": "gelu"}}, "hidden_size is 512 .* have 16"),
    "a list": ({"text_config": [1]}, r"text_config is \[1\]: is no object"),
    "epsilon": ({"vision_config__layer_norm_eps": 0}, "layer_norm_eps is 0: no number over 0"),
    "patches": ({"vision_config__patch_size": [4, 8]}, r"patch_size is \[4, 8\]: no whole number"),
}


@pytest.mark.parametrize("kind", HUGGING_FACE_REFUSED)
def test_hugging_face_is_refused_by_name(kind, load, tmp_path):
    changes, message = HUGGING_FACE_REFUSED[kind]
    config = changed(HUGGING_FACE, **changes)
    assert_refused(message, tmp_path, lambda: load("config.json", config))


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', "7", "[" * 99_999])
def test_a_configuration_that_is_none(content, load, tmp_path):
    message = r"not valid JSON|not an object of JSON|a is 1: this key is not understood"
    with pytest.raises(InputError, match=message):
        load("config.json", content)


WRITTEN_ONCE = """
_name_or_path '' | add_cross_attention false | architectures null | attention_dropout 0.0 |
bad_words_ids null | bos_token_id 0 | chunk_size_feed_forward 0 | cross_attention_hidden_size null |
decoder_start_token_id null | diversity_penalty 0.0 | do_sample false | dropout 0.0 |
early_stopping false | encoder_no_repeat_ngram_size 0 | eos_token_id 2 | finetuning_task null |
forced_bos_token_id null | forced_eos_token_id null | initializer_factor 1.0 |
initializer_range 0.02 | is_decoder false | is_encoder_decoder false | layer_norm_eps 1e-05 |
length_penalty 1.0 | max_length 20 | min_length 0 | no_repeat_ngram_size 0 | num_beam_groups 1 |
num_beams 1 | num_return_sequences 1 | output_attentions false | output_hidden_states false |
output_scores false | pad_token_id 1 | prefix null | problem_type null | projection_dim 512 |
pruned_heads {} | remove_invalid_values false | repetition_penalty 1.0 | return_dict true |
return_dict_in_generate false | sep_token_id null | task_specific_params null | temperature 1.0 |
tie_encoder_decoder false | tie_word_embeddings true | tokenizer_class null | top_k 50 | top_p 1.0 |
torch_dtype null | torchscript false | transformers_version '4.16.0.dev0' | use_bfloat16 false
"""
"""What Transformers 4.16 wrote into both parts of every CLIP, openai/clip-vit-base-patch32 say."""


def test_everything_that_older_transformers_wrote(load):
    pairs = (entry.strip().split(" ", 1) for entry in WRITTEN_ONCE.split("|"))
    written = {key: json.loads(value.replace("'", '"')) for key, value in pairs}
    assert len(written) == 54
    config = changed(HUGGING_FACE, text_config_dict=None, vision_config_dict=None)
    for part in ("text_config", "vision_config"):
        config[part] = written | {"id2label": {"0": "LABEL_0"}} | config[part]
    clip = load("config.json", config)
    assert settings_in(clip.image) == settings_in(clip.text) == BlockSettings(1, "quick_gelu")
