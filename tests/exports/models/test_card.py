"""The model card: what the hub reads, and nothing that breaks out of its place."""

import ast
from dataclasses import replace

from huggingface_hub import ModelCard

from weclip.exports.models.card import Facts, Score, TowerFacts, licence_table, model_card
from weclip.exports.models.licences import META, OPENAI, of_file, of_repository

FACTS = Facts(
    method="weclip",
    steps=300,
    classes=["background", "cat", "a|b", "<script>"],
    data="photos",
    images=120,
    towers={"clip": TowerFacts("ViT-B-16.pt", "ab" * 32, OPENAI)},
    precision="float16",
    licence="other",
    score=Score(0.6123, "long side 512; scales 1", "val", 40, {"background": 0.9, "cat": None}),
    versions={"weclip": "0.1.0"},
)


def test_the_hub_reads_its_front_matter():
    data = ModelCard(model_card(FACTS, "hf:me/photos-model")).data
    assert (data.library_name, data.pipeline_tag) == ("weclip", "image-segmentation")
    assert (data.license, data.license_link) == ("other", "LICENSES.md")
    assert data.model_name == "photos-model"
    [score] = data.eval_results
    assert (score.metric_type, score.metric_value) == ("mean_iou", 0.6123)
    assert (score.dataset_name, score.dataset_split) == ("photos", "val")


def test_what_it_is_called_and_needs_is_quoted():
    text = model_card(replace(FACTS, plugins=["my parts.py"]), 'my "model"')
    assert """weclip predict photos/ --model 'my "model"' --out masks --overlays """ in text
    assert "--plugin 'my parts.py'\n" in text
    [line] = [line for line in text.splitlines() if line.startswith("model = ")]
    called = ast.parse(line).body[0].value
    assert called.args[0].value == 'my "model"'
    assert ast.literal_eval(called.keywords[0].value) == ["my parts.py"]


def test_it_says_scores_with_their_protocol_and_how_to_use_it():
    text = model_card(FACTS, "hf:me/photos-model")
    assert "mIoU **61.2 %** on the split val, 40 images: long side 512; scales 1." in text
    assert "| cat | – |" in text
    assert 'weclip.load("hf:me/photos-model")' in text
    assert "weclip predict photos/ --model hf:me/photos-model --out masks" in text
    assert "- Data: photos, 120 images, and their tags." in text
    bare = model_card(replace(FACTS, score=None, images=None, plugins=["mine.py"]))
    assert "None are recorded." in bare
    assert "- Data: photos, and their tags." in bare
    assert "--plugin mine.py\n" in bare
    assert 'weclip.load("FOLDER", plugins=["mine.py"])' in bare


def test_names_of_classes_stay_in_their_cells():
    text = model_card(FACTS)
    assert r"| 2 | a\|b |" in text
    assert "<script>" not in text
    nasty = replace(FACTS, classes=["background", "x\n---\n# Title"], data="a\nlicense: mit")
    data = ModelCard(model_card(nasty)).data
    assert data.license == "other"
    assert "\n# Title" not in model_card(nasty)


def test_every_part_has_its_licence():
    towers = {
        "clip": TowerFacts("a", "ab" * 32, of_repository("laion/b16"), "laion/b16"),
        "dino": TowerFacts("dinov2_vits14_pretrain.pth", "cd" * 32, META),
    }
    table = licence_table(replace(FACTS, licence="mit", towers=towers))
    assert "| trained part | `model.safetensors` | mit |" in table
    assert "as its publisher states (on the page of the hub's laion/b16)" in table
    assert (
        "Apache 2.0 (Meta, github.com/facebookresearch/dinov2), text in `LICENSE-dino.txt`" in table
    )
    assert ModelCard(model_card(replace(FACTS, towers=towers))).data.base_model == ["laion/b16"]
    assert of_file("x.pt").read() is None
    assert "Copyright (c) 2021 OpenAI" in OPENAI.read()
    assert "Apache License" in META.read()


def test_what_cuts_images_is_asked_for():
    card = model_card(replace(FACTS, given="regions.files=FOLDER"))
    assert "all that predictions need, but what cuts images into regions." in card
    assert "Also give `regions.files=FOLDER`: in the command, and in Python" in card
    assert "Also give" not in model_card(FACTS)
