"""`examples/cvat_function` answers as CVAT wants it, called as nuclio does."""

import base64
import json
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from examples.cvat_function import main as function
from tests.exports.decoders import fill
from tests.test_layout import ROOT

CONFIG = yaml.safe_load(
    (ROOT / "examples" / "cvat_function" / "function.yaml").read_text(encoding="utf-8")
)


def context_of(model_file, monkeypatch, shapes="mask"):
    monkeypatch.setattr(function, "MODEL", model_file)
    monkeypatch.setenv("WECLIP_SHAPES", shapes)
    context = SimpleNamespace(
        user_data=SimpleNamespace(),
        logger=SimpleNamespace(info=lambda text: None),
        Response=SimpleNamespace,
    )
    function.init_context(context)
    return context


def body_of(picture, **values):
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return {"image": base64.b64encode(buffer.getvalue()).decode(), **values}


def call(context, body):
    answer = function.handler(context, SimpleNamespace(body=body))
    assert answer.status_code in (200, 400)
    return json.loads(answer.body) if answer.status_code == 200 else answer.body


def pixels_of(shape, size):
    """As CVAT reads it."""
    found = np.zeros(size, bool)
    if shape["type"] == "polygon":
        return fill(np.reshape(shape["points"], (-1, 2)), size)
    *inside, left, top, right, bottom = shape["mask"]
    found[top : bottom + 1, left : right + 1] = np.reshape(inside, (bottom + 1 - top, -1))
    return found


@pytest.mark.parametrize("kind", ["mask", "polygon"])
def test_shapes_are_the_prediction(model_file, model, picture, monkeypatch, kind):
    context = context_of(model_file, monkeypatch, kind)
    shapes = call(context, body_of(picture))
    expected = model.predict(picture)
    found = np.zeros_like(expected.label_map)
    for shape in shapes:
        assert shape["type"] == kind
        found[pixels_of(shape, found.shape)] = expected.class_names.index(shape["label"])
        assert 0.3 < float(shape["confidence"]) <= 1
    assert np.array_equal(found, expected.label_map)
    assert sorted(shape["label"] for shape in shapes) == ["cat", "dog"]


def test_what_is_less_sure_than_the_threshold_is_left_out(model_file, picture, monkeypatch):
    context = context_of(model_file, monkeypatch)
    confidences = [float(s["confidence"]) for s in call(context, body_of(picture))]
    between = sum(confidences) / 2
    assert len(call(context, body_of(picture, threshold=between))) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "send"),
        ({"image": 3}, "send"),
        ({"image": "?"}, "must be base64"),
        ({"image": "é"}, "must be base64"),
        ({"image": base64.b64encode(b"GIF89a").decode()}, "image cannot be read"),
        ({"image": "", "threshold": "much"}, "threshold a number"),
    ],
)
def test_what_is_wrong_is_one_line(model_file, monkeypatch, body, said):
    text = call(context_of(model_file, monkeypatch), body)
    assert said in text
    assert "\n" not in text


def test_large_images_are_not_decoded(model_file, picture, monkeypatch):
    monkeypatch.setattr(function, "MAX_PIXELS", 100)
    assert "too large" in call(context_of(model_file, monkeypatch), body_of(picture))
    monkeypatch.setattr(function, "MAX_BYTES", 100)
    assert "at most 100" in call(context_of(model_file, monkeypatch), body_of(picture))


def test_the_configuration_fits_the_code(model_file, monkeypatch):
    module, name = CONFIG["spec"]["handler"].split(":")
    assert module == "main"
    assert callable(getattr(function, name))
    (each,) = CONFIG["spec"]["env"]
    assert each["name"] == "WECLIP_SHAPES"
    assert each["value"] in function.SHAPES
    assert CONFIG["spec"]["triggers"]["http"]["attributes"]["maxRequestBodySize"] == (
        function.MAX_BYTES
    )
    monkeypatch.setattr(function, "MODEL", model_file)
    assert CONFIG["metadata"]["annotations"]["spec"].strip() == function.labels()
    assert json.loads(function.labels())[1] == {"id": 2, "name": "dog", "type": "any"}
