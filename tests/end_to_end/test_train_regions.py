"""Training whose labels read regions that were made beforehand (`regions.files`)."""

import json
import shutil
from pathlib import Path

import pytest
from tests.end_to_end import worlds
from tests.end_to_end.test_retrieval import said

from weclip.cli import app as cli
from weclip.training.runlog import read_log

pytest.importorskip("skimage", reason="needs the extra 'regions'")
WHOLE = (
    "cam.source=region_attention affinity.source=none regions.superpixels.count=12 "
    "data.scale_range=[1.0,1.0] data.flip_probability=0.0 train.precision=float32 "
    "eval.precision=float32"
).split()
"""Labels read regions, and each crop is a whole image."""


@pytest.fixture(scope="module")
def changes(voc_world: Path, clip_file: Path, dino_file: Path) -> list[str]:
    given = worlds.voc_changes(voc_world, clip_file)
    return [*given, f"dino.weights={dino_file}", *WHOLE]


@pytest.fixture(scope="module")
def files(changes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Regions of the training images; do not change them."""
    out = tmp_path_factory.mktemp("regions") / "cut"
    data = [each for each in changes if each.startswith(("data.", "regions."))]
    assert cli.run(["regions", "--config", "voc", *data, "--out", str(out)]) == 0
    return out


@pytest.mark.long
@pytest.mark.parametrize(
    "method",
    [["method.name=weclip"], ["method.name=weclip_plus", "method.weclip_plus.refine_from=-1"]],
)
def test_losses_are_those_of_the_source(changes, files, tmp_path, capsys, method):
    rows = []
    for name, more in (("made", []), ("read", [f"regions.files={files}"])):
        assert worlds.train(tmp_path / name, *changes, *method, *more) == 0
        rows.append(
            [row["loss"] for row in read_log(tmp_path / name / "log.jsonl") if "loss" in row]
        )
    assert rows[0] == rows[1]
    assert len(rows[0]) == 4
    made, read = (json.loads((tmp_path / n / "run.json").read_text()) for n in ("made", "read"))
    assert made["regions"]["source"] == read["regions"]["source"] == "superpixels"
    assert len(read["regions"]["files"]) == 64
    assert (tmp_path / "read" / "report.html").is_file()
    scores = ["evaluate", "--model", str(tmp_path / "read"), "--out", str(tmp_path / "scores")]
    assert cli.run([*scores, "data.eval_split=train", "--labels"]) == 2
    assert "the model was trained with regions in files" in said(capsys)
    labels = ["data.eval_split=train", "--labels", f"regions.files={files}"]
    assert cli.run([*scores, *labels]) == 0
    made = ["evaluate", "--model", str(tmp_path / "made"), "--out", str(tmp_path / "others")]
    assert cli.run([*made, "data.eval_split=train", "--labels"]) == 0
    found = [
        {name: each["miou"] for name, each in json.loads(path.read_text()).items()}
        for path in (tmp_path / n / "evaluation.json" for n in ("scores", "others"))
    ]
    assert found[0] == found[1]
    assert cli.run([*scores, "--overwrite"]) == 0  # predictions read no regions


def test_what_cannot_be_trained_is_one_line(changes, files, tmp_path, capsys):
    few = tmp_path / "few"
    shutil.copytree(files, few)
    (few / "maps" / "train_3.png").unlink()
    assert worlds.train(tmp_path / "run", *changes, f"regions.files={few}") == 2
    assert "no regions of image 'train_3'" in said(capsys)
    in_vain = [f"regions.files={files}", "cam.source=gradcam"]
    given = [each for each in changes if not each.startswith("dino.")]
    assert worlds.train(tmp_path / "run", *given, *in_vain) == 2
    assert "nothing in this training reads regions; leave it out" in said(capsys)
    graphs = [f"regions.files={files}", "train.cuda_graphs=true"]
    assert worlds.train(tmp_path / "run", *changes, *graphs) == 2
    assert "what is read of regions in files is not replayed; leave train.cuda_" in said(capsys)
    assert not (tmp_path / "run").exists()
