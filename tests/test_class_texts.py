"""From a class list to text features."""

import re

import pytest
import torch
import torch.nn.functional as F

from weclip.backbones.clip.text_features import cluster
from weclip.backbones.clip.tokenizer import imagenet_templates
from weclip.class_texts import encode_classes, encode_words
from weclip.config import ClipConfig
from weclip.config_file import load_config
from weclip.data.class_descriptions import read_descriptions
from weclip.data.classes import load_classes, parse_classes
from weclip.system.errors import InputError
from weclip.tasks.load.backbones import open_clip

TEMPLATE = "a clean origami {}."


@pytest.fixture(scope="module")
def text_encoder():
    return open_clip(load_config("demo", ["data.root=."])).text


def features_of(text_encoder, *entries, **settings):
    classes = parse_classes({"classes": [*entries], "background_words": ["sky", "sea"]}, "test")
    return encode_classes(ClipConfig(**settings), text_encoder, classes, scale=10.0)


def test_one_prompt_is_encoded_and_nothing_else(text_encoder):
    demo = load_classes("demo")
    features = encode_classes(ClipConfig(), text_encoder, demo, scale=10.0)
    plain = text_encoder.encode([TEMPLATE.format(text) for (text,) in demo.prompts])
    assert torch.equal(features.classes, plain)
    assert features.background.shape == (len(demo.background_words), plain.shape[1])


def test_features_of_several_prompts_are_averaged_and_made_unit(text_encoder):
    texts = ["bird", "bird avian", "flying bird"]
    ensemble = features_of(text_encoder, {"name": "bird", "prompts": texts}, "boat")
    each = features_of(text_encoder, *texts).classes.double()
    mean = (each[0] + each[1] + each[2]) / 3
    expected = mean / mean.norm()
    assert ensemble.classes.shape == (2, each.shape[1])
    torch.testing.assert_close(ensemble.classes[0].double(), expected, atol=1e-6, rtol=0)
    boat = features_of(text_encoder, "boat").classes[0]
    torch.testing.assert_close(ensemble.classes[1], boat, atol=1e-6, rtol=0)
    assert mean.norm() < 0.999  # so the length had to be repaired


def test_templates_are_averaged_with_prompts(text_encoder):
    more = ("a photo of a {}.", "art of the {}.")
    features = features_of(text_encoder, "bird", "boat", more_templates=more)
    for name, row in zip(("bird", "boat"), features.classes, strict=True):
        each = text_encoder.encode([t.format(name) for t in (TEMPLATE, *more)]).double()
        torch.testing.assert_close(
            row.double(), F.normalize(each.mean(0), dim=0), atol=1e-6, rtol=0
        )
    words = text_encoder.encode([t.format("sky") for t in (TEMPLATE, *more)])
    expected = F.normalize(words.mean(0), dim=0)
    torch.testing.assert_close(features.background[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("d.txt", "bird: a small bird\n\nboat: a boat on water\nbird: a bird in the sky\n"),
        ("d.json", '{"bird": ["a small bird", "a bird in the sky"], "boat": ["a boat on water"]}'),
        ("d.yaml", "bird: [a small bird, a bird in the sky]\nboat: [a boat on water]\n"),
    ],
)
def test_descriptions_enrich_the_classes(text_encoder, tmp_path, file, text):
    path = tmp_path / file
    path.write_text(text)
    ours = features_of(text_encoder, "bird", "boat", descriptions=str(path), description_share=0.6)
    plain = features_of(text_encoder, "bird", "boat").classes.double()
    sentences = ["a small bird", "a bird in the sky", "a boat on water"]
    attributes = text_encoder.encode(sentences).double()
    for row, own in zip(ours.classes, plain, strict=True):
        ranked = sorted(attributes, key=lambda a: -float(own @ a))[:2]  # 0.4 of three: one left out
        shares = torch.stack([own @ a for a in ranked]).softmax(0)
        rich = own + shares[0] * ranked[0] + shares[1] * ranked[1]
        torch.testing.assert_close(row.double(), rich / rich.norm(), atol=1e-6, rtol=0)
    assert not torch.allclose(ours.classes.double(), plain, atol=1e-2)


def test_clusters_are_means_of_alike_descriptions():
    rows = torch.tensor([[0.0, 1.0], [0.1, 1.0], [5.0, 0.0], [5.2, 0.0], [5.1, 0.3]])
    centres = cluster(rows, 2)
    ranked = centres[centres[:, 0].argsort()]
    torch.testing.assert_close(ranked, torch.tensor([[0.05, 1.0], [5.1, 0.1]]))
    assert torch.equal(centres, cluster(rows, 2))
    assert torch.equal(cluster(rows, 9), rows)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("d.txt", "bird a small bird", "line 1: 'bird a small bird' is not 'class: description'"),
        ("d.txt", "\nbrid: small", "line 2: unknown class 'brid'; did you mean 'bird'"),
        ("d.txt", "\n", "no descriptions; give at least one"),
        ("d.json", '{"bird": "small"}', "'bird': expected class names, each with a list of texts"),
        ("d.json", "[1]", "expected class names, each with a list of texts"),
        ("d.json", '{"bird": [', "not valid JSON"),
    ],
)
def test_descriptions_that_cannot_be_used(tmp_path, file, text, said):
    (tmp_path / file).write_text(text)
    classes = parse_classes({"classes": ["bird"], "background_words": ["sky"]}, "test")
    with pytest.raises(InputError, match=re.escape(said)):
        read_descriptions(tmp_path / file, classes)
    with pytest.raises(InputError, match=r"none\.txt: file of descriptions .* not found"):
        read_descriptions(tmp_path / "none.txt", classes)


def test_words_by_themselves(text_encoder):
    """Background words first, then each prompt of each class; each the mean of its templates."""
    document = {
        "classes": [{"name": "bird", "prompts": ["bird", "gull"]}, "boat"],
        "background_words": ["sky", "sea"],
    }
    classes = parse_classes(document, "test")
    config = ClipConfig(prompt_template="a {}.", more_templates=("the {}.",))
    text, class_of_word = encode_words(config, text_encoder, classes)
    assert class_of_word == (0, 0, 1, 1, 2)
    words = ["sky", "sea", "bird", "gull", "boat"]
    rows = [text_encoder.encode([f"a {word}.", f"the {word}."]).mean(dim=0) for word in words]
    torch.testing.assert_close(text, F.normalize(torch.stack(rows), dim=1), atol=1e-6, rtol=0)


def test_the_templates_of_imagenet():
    config = ClipConfig(prompt_template="imagenet", more_templates=("the {}.",))
    assert config.templates == (*imagenet_templates(), "the {}.")
    assert len(config.templates) == 81
    assert ClipConfig().templates == (TEMPLATE,)
