"""What a card is written from: the run's own record, and scores of this very model."""

import json

import pytest
from tests.end_to_end.worlds import train, voc_changes

import weclip
from weclip.backbones.clip.configuration.computation import KNOWN
from weclip.prepare.sources import PUBLISHED
from weclip.system.files import sha256_of
from weclip.tasks.load.model import load_model
from weclip.tasks.share.facts import licence_of, read_score, towers_of
from weclip.training.model_file import FrozenBackbone


def card_of(run, out, **given):
    return (weclip.bundle(run, out=out, **given).out / "README.md").read_text()


def test_the_run_says_its_images_and_last_scores(run_folder, tmp_path):
    card = card_of(run_folder, tmp_path / "model")
    assert "- Data: VOC2012, 8 images, and their tags." in card
    said = "on the split val, 3 images: while it was trained; long side 48; scales 1; no flip; "
    assert f"{said}no CRF; float32; no tags; seed 0." in card
    assert "not stated by who trained it" in card


def test_scores_of_an_evaluation(run_folder, tmp_path):
    scored = weclip.evaluate(run_folder, out=tmp_path / "scores").scores["Segmentation"]
    record = tmp_path / "scores" / "evaluation.json"
    card = card_of(run_folder, tmp_path / "model", scores=record)
    assert f"mIoU **{100 * scored['miou']:.1f} %** on the split val, 3 images: long side 48" in card
    assert "| bird |" in card
    assert str(run_folder.parent) not in card


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_sha256": "0" * 64}, r"is of another model than .*model\.safetensors"),
        ({"model_sha256": None}, "is of another model"),
        ({"per_class_iou": {"background": 1.0}}, "is of another model"),
        ({"kind": "pseudo_label"}, "holds no scores of a model"),
        ({"miou": "high"}, "no evaluation.json of 'weclip evaluate'"),
        ({"miou": float("nan")}, "no evaluation.json of 'weclip evaluate'"),
        ({"miou": 57.3}, "no evaluation.json of 'weclip evaluate'"),
        ({"miou": True}, "no evaluation.json of 'weclip evaluate'"),
        ({"protocol": None}, "no evaluation.json of 'weclip evaluate'"),
    ],
)
def test_scores_of_something_else(run_folder, tmp_path, change, said):
    model = load_model(run_folder)
    record = {
        "kind": "segmentation",
        "split": "val",
        "num_images": 3,
        "miou": 0.5,
        "per_class_iou": dict.fromkeys(model.file.classes.names_with_background, 0.5),
        "protocol": {
            "long_side": 48,
            "scales": [1],
            "flip": False,
            "crf": False,
            "precision": "float32",
            "tags_used": False,
        },
        "seed": 0,
        "model_sha256": sha256_of(model.path),
    }
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"Segmentation": record}))
    assert read_score(path, model).miou == 0.5
    path.write_text(json.dumps({"Segmentation": record | change}))
    with pytest.raises(weclip.InputError, match=said):
        read_score(path, model)
    path.write_text("[1]")
    with pytest.raises(weclip.InputError, match=r"no evaluation\.json"):
        read_score(path, model)


def test_scores_of_another_seed(run_folder, voc_world, clip_file, tmp_path):
    """Which ends at the same step, with the same classes."""
    other = tmp_path / "other"
    assert train(other, *voc_changes(voc_world, clip_file), "train.seed=7") == 0
    weclip.evaluate(other, out=tmp_path / "scores")
    record = tmp_path / "scores" / "evaluation.json"
    assert "; seed 7" in read_score(record, load_model(other)).protocol
    with pytest.raises(weclip.InputError, match="is of another model"):
        read_score(record, load_model(run_folder))


def test_a_bundle_names_the_licence_of_what_its_towers_were_taken_from(bundled, monkeypatch):
    model = load_model(bundled)
    original = json.loads((bundled / "run.json").read_text())["towers"]["clip"]["original"]
    monkeypatch.setitem(KNOWN, original, "OpenAI's ViT-B/16")
    tower = towers_of(model, model.config)["clip"]
    assert (tower.name, tower.sha256) == ("tiny-clip.safetensors", original)
    assert tower.licence.kind == "MIT"


def test_licences_are_told_by_what_is_known():
    def kind(name, sha256, weights, repository=None):
        return licence_of(name, FrozenBackbone("x.pt", sha256, ""), repository, weights).kind

    openai = next(sha256 for sha256, what in KNOWN.items() if what.startswith("OpenAI"))
    meta = PUBLISHED["dinov2_vits14"].checksum.removeprefix("sha256:")
    assert kind("clip", openai, "/somewhere/x.pt") == "MIT"
    assert kind("dino", meta, "/somewhere/x.pth") == "Apache 2.0"
    assert kind("clip", "0" * 64, "/somewhere/x.pt") is None
    assert kind("clip", "0" * 64, "a/b@" + "1" * 40, "a/b") is None
