"""Which stages there are, and what `--dry-run` shows of them."""

import json
import shlex
from pathlib import Path

import pytest
from tests.end_to_end.worlds import folder_content
from tests.tasks.reproduce.worlds import quick

from weclip.cli import app as cli
from weclip.system.errors import InputError
from weclip.tasks.reproduce.lacking import NEEDS
from weclip.tasks.reproduce.published import published_names
from weclip.tasks.reproduce.run import make_request
from weclip.tasks.reproduce.run import reproduce as run
from weclip.tasks.reproduce.stages import seeds_of, stage_name, stages
from weclip.tasks.reproduce.work import WORK, config_of

VOC = "prepare-voc prepare-clip"
NAMES = {
    "voc": f"{VOC} seed-0/train seed-0/val seed-0/val-crf seed-0/test-crf seed-0/train-labels",
    "coco": "prepare-coco prepare-clip seed-0/train seed-0/val-crf",
    "voc-plus": f"{VOC} prepare-dino seed-0/train seed-0/val seed-0/val-crf seed-0/test-crf",
    "coco-plus": "prepare-coco prepare-clip prepare-dino seed-0/train seed-0/val",
    "voc-afa": "prepare-voc prepare-mit seed-0/train seed-0/val seed-0/val-crf seed-0/test-crf "
    "seed-0/train-labels",
    "coco-afa": "prepare-coco prepare-mit seed-0/train seed-0/val",
    "clip-es": f"{VOC} maps maps-scores maps-crf maps-crf-scores",
    "excel": f"{VOC} maps maps-scores maps-enriched-text maps-enriched-text-scores",
    "cd-clip": f"{VOC} maps maps-scores",
    "corrclip": "prepare-voc maps maps-scores maps-8-points-a-side maps-8-points-a-side-scores",
}


@pytest.mark.parametrize("name", published_names())
def test_stages(name, tmp_path):
    request = make_request(name, tmp_path, tmp_path / "out")
    found = stages(request)
    assert [stage.name for stage in found] == NAMES[name].split()
    assert stages(request) == found
    for stage in found:
        assert stage.kind in WORK
        assert set(stage.needs) <= NEEDS.keys()
        assert stage.command.startswith("weclip ")
        words = shlex.split(stage.command)
        assert all(change in words for change in stage.changes)
        if stage.kind in ("train", "label"):
            config = config_of(request, stage.changes)
            assert config.label.crf == ("crf" in stage.needs)
            assert config.label.threshold == 0  # every pixel is scored


def test_each_seed_has_its_stages_and_given_weights_are_not_fetched(tmp_path):
    given = make_request("voc", tmp_path, tmp_path, seeds="3,5", changes=["clip.weights=a.pt"])
    names = [stage.name for stage in stages(given)]
    assert names[:2] == ["prepare-voc", "seed-3/train"]
    assert [name.replace("seed-5", "seed-3") for name in names[6:]] == names[1:6]
    train = stages(given)[6]
    assert train.changes[-2:] == ("clip.weights=a.pt", "train.seed=5")


@pytest.mark.parametrize("name", published_names())
def test_dry_run_shows_every_command_and_does_nothing(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["reproduce", name, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    for stage in stages(make_request(name, Path("data"), Path(f"runs/reproduce-{name}"))):
        assert f". {stage.name}" in shown
        assert f"   {stage.command}\n" in shown
    assert "not measured" in shown
    assert "Published" in shown
    assert not folder_content(tmp_path)


def test_dry_run_tells_what_is_changed(tmp_path, capsys):
    line = ["reproduce", "voc", "--dry-run", "--root", str(tmp_path), "train.steps=2"]
    assert cli.run([*line, "train.steps=3", "data.workers=0", "train.precision=auto"]) == 0
    shown = capsys.readouterr().out
    assert "no reproduction" in shown
    assert "changed: train.steps=3 " in shown


BAD = {
    "a key that --root decides": (["data.root=x"], "data.root: --root says where the data are"),
    "a key of the rows": (["eval.crf=true"], "eval.crf: the rows of the table decide it"),
    "seeds": (["--seeds", "1,1"], "--seeds 1,1: give two or more different numbers"),
    "a section that --root decides": (["data={root: /x}"], "data is a section; give its keys"),
    "a section of the rows": (["eval={crf: true}"], "eval is a section; give its keys one by one"),
    "a section without braces": (["eval=crf: true"], "such as eval.long_side=..."),
    "a key of --seeds": (["train.seed=1"], "train.seed: --seeds decides it"),
    "an unknown key": (["train.stepz=3"], "unknown key train.stepz"),
    "no change": (["photos"], "'photos' is not of the form section.key=value"),
}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("clip-es", "data.train_split=val", "the rows of the table decide it"),
        ("clip-es", "label.confidence=0.5", "the rows of the table decide it"),
        ("corrclip", "label.any_class=false", "the rows of the table decide it"),
        ("clip-es", "eval.long_side=64", "clip-es trains nothing and does not read it"),
        ("cd-clip", "train.steps=3", "cd-clip trains nothing and does not read it"),
        ("excel", "clip.description_clusters=7", "the rows of the table decide it"),
    ],
)
def test_what_a_method_without_training_decides_or_does_not_read(name, change, said, tmp_path):
    key = change.partition("=")[0]
    with pytest.raises(InputError, match=f"{key}: {said}; leave it out"):
        make_request(name, tmp_path, tmp_path, changes=[change])


@pytest.mark.parametrize("name", ["voc", "clip-es"])
def test_whether_there_is_a_crf_is_always_said(name, tmp_path):
    """Else a model that was trained with another default would be scored with it."""
    request = make_request(name, tmp_path, tmp_path)
    scored = [s for s in stages(request) if s.kind in ("evaluate", "labels", "predict", "masks")]
    for stage in scored:
        crf = "crf" in stage.needs and stage.kind != "masks"
        assert stage.changes[-1] == f"eval.crf={str(crf).lower()}"
    assert scored


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_one_line(case, tmp_path, capsys):
    given, said = BAD[case]
    assert cli.run(["reproduce", "voc", "--out", str(tmp_path / "out"), *given]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_method_without_training_has_no_seeds(tmp_path):
    with pytest.raises(InputError, match="--seeds 1: clip-es trains nothing; leave it out"):
        make_request("clip-es", tmp_path, tmp_path, seeds="1")


@pytest.mark.parametrize("name", ["clip-es", pytest.param("voc", marks=pytest.mark.long)])
def test_the_commands_as_typed_give_the_same_scores(name, tmp_path, voc_root, clip_file):
    """But those that fetch or need an extra; what they leave is taken over."""
    changes = [f"clip.weights={clip_file}", *quick(name)]
    typed = make_request(name, voc_root, tmp_path / "typed", changes=changes)
    done = make_request(name, voc_root, tmp_path / "done", changes=changes)
    rows = run(done)
    scores = {}
    for stage in stages(typed):
        if stage.kind != "prepare" and not stage.needs:
            assert cli.run(shlex.split(stage.command)[1:]) == 0
            path = typed.out / stage.name / "evaluation.json"
            if path.is_file():
                scores |= {
                    (stage.name, record): 100 * scored["miou"]
                    for record, scored in json.loads(path.read_text()).items()
                }
    assert scores
    for row, line in zip(done.table.rows, rows, strict=True):
        for seed in seeds_of(done):
            assert line.mean == scores.get((stage_name(row, seed), row.scored))
    assert run(typed) == rows
