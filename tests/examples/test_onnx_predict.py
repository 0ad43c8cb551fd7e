"""`examples/onnx_predict.py` gives nearly what weclip gives, in 40 lines and without it."""

import ast
import runpy

import numpy as np
import pytest
from examples.onnx_predict import predict
from PIL import Image
from tests.test_layout import ROOT

SCRIPT = ROOT / "examples" / "onnx_predict.py"


def test_it_is_short_and_without_weclip():
    text = SCRIPT.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = {name.name for n in ast.walk(tree) if isinstance(n, ast.Import) for name in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert imported == {"json", "sys", "numpy", "onnxruntime", "PIL"}
    assert len(text.splitlines()) - len(ast.get_docstring(tree).splitlines()) <= 40


@pytest.mark.parametrize("size", [(160, 120), (97, 211), (640, 480), (500, 20)])
def test_it_agrees_with_weclip(model_file, model, picture, size):
    image = picture.resize(size)
    mask, names = predict(str(model_file), image)
    expected = model.predict(image)
    assert mask.size == size
    assert names == list(expected.class_names)
    assert {name for name, _ in expected.polygons()} == {"cat", "dog"}
    assert (np.asarray(mask) == expected.label_map).mean() > 0.99


def test_the_command_writes_a_palette_png(
    model_file, model, picture, tmp_path, monkeypatch, capsys
):
    files = [str(tmp_path / name) for name in ("photo.png", "mask.png")]
    picture.save(files[0])
    monkeypatch.setattr("sys.argv", ["onnx_predict.py", str(model_file), *files])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    with Image.open(files[1]) as mask:
        assert mask.mode == "P"
        assert (np.asarray(mask) == model.predict(picture).label_map).mean() > 0.99
        palette = np.reshape(mask.getpalette(), (-1, 3))
    assert np.array_equal(palette[:3], model.palette[:3])
    assert "dog: 21.6%" in capsys.readouterr().out


def test_a_model_with_another_output_is_refused(labels_file, picture):
    with pytest.raises(SystemExit, match="weclip export --output logits"):
        predict(str(labels_file), picture)
