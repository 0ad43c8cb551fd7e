import io
import json

import numpy as np
import pytest
from rich.console import Console

from weclip.inference.scores.evaluate import score_label_maps
from weclip.inference.scores.record import evaluation_record, protocol_text, scores_table
from weclip.system.files import write_json

NAMES = ["background", "cat", "dog"]
PROTOCOL = {
    "long_side": 512,
    "scales": (1.0, 0.75),
    "flip": True,
    "crf": False,
    "precision": "bf16",
    "tags_used": False,
}


def make_record(result, **changes):
    values = {
        "class_names": NAMES,
        "kind": "segmentation",
        "split": "val",
        "protocol": PROTOCOL,
        "checkpoint": "run/model.safetensors",
        "seed": 0,
        "versions": {"weclip": "0.1.0"},
    }
    return evaluation_record(result, **{**values, **changes})


@pytest.fixture
def result():
    cat = np.full((2, 4), 1, dtype=np.uint8)
    dog = np.full((2, 4), 2, dtype=np.uint8)
    half = np.array([[0] * 4, [2] * 4], dtype=np.uint8)
    return score_label_maps(
        [("seen/a", cat, cat), ("unseen/b", dog, half)],
        num_classes=3,
        group_of=lambda name: name.split("/")[0],
    )


def test_record_says_everything_and_is_json(result, tmp_path):
    record = make_record(result)
    path = tmp_path / "new" / "evaluation.json"
    write_json(path, record)
    read = json.loads(path.read_text())
    assert list(path.parent.iterdir()) == [path]
    assert read["per_class_iou"] == {"background": 0.0, "cat": 1.0, "dog": 0.5}
    assert read["groups"]["unseen"]["per_class_iou"]["cat"] is None
    assert read["protocol"] == {**PROTOCOL, "scales": [1.0, 0.75]}
    assert {key: read[key] for key in ("kind", "split", "checkpoint", "seed", "num_images")} == {
        "kind": "segmentation",
        "split": "val",
        "checkpoint": "run/model.safetensors",
        "seed": 0,
        "num_images": 2,
    }
    assert read["versions"] == {"weclip": "0.1.0"}


def test_record_refuses_what_it_cannot_name(result):
    with pytest.raises(ValueError, match="kind 'val' must be one of"):
        make_record(result, kind="val")
    with pytest.raises(ValueError, match=r"missing in protocol: \['crf'\]"):
        make_record(result, protocol={k: v for k, v in PROTOCOL.items() if k != "crf"})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "evaluation.json"
    write_json(path, {"miou": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"miou": float("nan")})
    assert json.loads(path.read_text()) == {"miou": 0.5}
    assert list(tmp_path.iterdir()) == [path]


def test_table_shows_scores_groups_and_protocol(result):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(scores_table({"single scale": make_record(result), "again": make_record(result)}))
    text = console.export_text()
    for part in ("mIoU", "50.0", "mIoU, unseen", "25.0", "dog", "segmentation on val, 2 images"):
        assert part in text


def test_protocol_in_words(result):
    assert protocol_text(make_record(result)) == (
        "long side 512; scales 1, 0.75; flip; no CRF; bf16; no tags"
    )
    other = {"long_side": None, "scales": (1.0,), "flip": False, "crf": True, "tags_used": True}
    other["precision"] = None
    assert protocol_text(make_record(result, protocol=other)) == (
        "original size; scales 1; no flip; CRF; precision unknown; tags given"
    )
    for saw, said in ((True, ", which saw masks that people drew"), (False, "")):
        regions = {"regions": "sam2", "saw_human_masks": saw}
        text = protocol_text(make_record(result, protocol=other | regions))
        assert text.endswith(f"tags given; regions of sam2{said}")


def test_masks_of_any_origin_say_what_is_known():
    cat = np.full((2, 4), 1, dtype=np.uint8)
    unsure = np.array([[1] * 4, [255] * 4], dtype=np.uint8)
    result = score_label_maps([("a", unsure, cat)], num_classes=3, boundary=True, unsure=True)
    protocol = {"unsure": "wrong", "missing": {"count": 2, "names": ["b", "c"]}, "crf": False}
    record = make_record(result, kind="masks", protocol=protocol)
    assert protocol_text(record) == (
        "masks as given; unsure (255) on 50 % of the pixels, counted as wrong; 2 masks missing"
    )
    refined = make_record(result, kind="masks", protocol=protocol | {"crf": True})
    assert protocol_text(refined).startswith("masks after the dense CRF; unsure (255) on 50 %")
    with pytest.raises(ValueError, match=r"missing in protocol: \['missing', 'unsure'\]"):
        make_record(result, kind="masks")
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(scores_table({"masks": record, "model": make_record(result)}))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "│ boundary IoU │ 50.0 │ 50.0 │" in lines
    assert "│ IoU / boundary IoU │ │ │" in lines
    assert "│ cat │ 50.0 / 50.0 │ 50.0 / 50.0 │" in lines
    assert "│ dog │ – / – │ – / – │" in lines
