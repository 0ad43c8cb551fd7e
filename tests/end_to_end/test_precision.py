"""The keys `precision`: said in every record, and never mixed in a folder."""

import json

import pytest
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.tasks.load.opening import ModelAt, open_predictor


@pytest.fixture(scope="module")
def line(voc_world, clip_file):
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    return ["--config", "voc", *data, f"clip.weights={clip_file}"]


@pytest.fixture
def no_units(monkeypatch):
    """A processor on which `auto` is float32."""
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_labels_say_theirs_and_do_not_mix(line, tmp_path, capsys, no_units):
    out = tmp_path / "masks"

    def label(*changes):
        return cli.run(["label", *line, "--out", str(out), *changes])

    assert label("label.precision=bf16") == 0
    assert "computing in bf16 on cpu\n" in capsys.readouterr().out
    assert read(out / "label.json")["config"]["label.precision"] == "bf16"
    assert "label.precision=bf16" in (out / "report.html").read_text(encoding="utf-8")
    for other in ("auto", "float32"):
        assert label(f"label.precision={other}", "--resume") == 2
        assert "label.precision was bf16, now float32" in capsys.readouterr().err
    assert label("label.precision=bf16", "--resume") == 0


def test_labels_of_tags_by_clip_keep_the_precision_of_these(line, tmp_path, capsys):
    given = [each for each in line if not each.startswith("data.tags_file")]
    given = ["label", *given, "data.tags_file=auto", "--out", str(tmp_path / "masks")]
    assert cli.run([*given, "tags.precision=bf16"]) == 0
    assert cli.run([*given, "tags.precision=float32", "--resume"]) == 2
    assert "tags.precision was bf16, now float32" in capsys.readouterr().err


def test_tags_say_theirs(line, tmp_path, capsys, no_units):
    for choice, meant in (("bf16", "bf16"), ("auto", "float32")):
        out = tmp_path / f"{choice}.csv"
        assert cli.run(["tag", *line, "--out", str(out), f"tags.precision={choice}"]) == 0
        assert read(tmp_path / f"{choice}.csv.json")["config"]["tags.precision"] == meant
        assert f"computing in {meant} on cpu\n" in capsys.readouterr().out


def test_predictions_say_theirs_and_do_not_mix(run_folder, voc_world, tmp_path, capsys, no_units):
    out = tmp_path / "out"

    def predict(choice, *options):
        images = str(voc_world / "JPEGImages")
        how = ["--model", str(run_folder), "--out", str(out), f"eval.precision={choice}"]
        return cli.run(["predict", images, *how, *options])

    assert predict("bf16") == 0
    assert "computing in bf16 on cpu\n" in capsys.readouterr().out
    assert read(out / "run.json")["settings"]["precision"] == "bf16"
    assert read(out / "predict.json")["eval"]["eval.precision"] == "bf16"
    assert predict("auto", "--resume") == 2
    assert "made with another eval" in capsys.readouterr().err
    assert predict("bf16", "--resume") == 0


@pytest.mark.parametrize("labels", [[], ["--labels"]])
def test_scores_say_theirs(run_folder, tmp_path, capsys, labels):
    out = tmp_path / "scores"
    how = ["--model", str(run_folder), "--out", str(out), "eval.precision=bf16"]
    assert cli.run(["evaluate", *how, *labels]) == 0
    assert {each["protocol"]["precision"] for each in read(out / "evaluation.json").values()} == {
        "bf16"
    }
    assert "; no CRF; bf16; " in (out / "report.html").read_text(encoding="utf-8")


def test_a_training_says_both(run_folder, voc_world, clip_file, tmp_path, capsys):
    assert read(run_folder / "run.json")["precision"]["eval"] == "float32"
    changes = worlds.voc_changes(voc_world, clip_file)
    given = [*changes, "train.steps=1", "train.precision=float32", "eval.precision=bf16"]
    assert worlds.train(tmp_path / "run", *given) == 0
    assert "images with masks, in bf16\n" in capsys.readouterr().out
    assert read(tmp_path / "run" / "run.json")["precision"] == {"train": "float32", "eval": "bf16"}


def test_what_the_device_lacks_is_one_line(run_folder, line, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("weclip.backbones.precision._why_not", lambda *_: "no Half kernel")
    out = str(tmp_path / "out")
    model = ["--model", str(run_folder), "--out", out, "eval.precision=fp16"]
    for given, key in (
        (["label", *line, "label.precision=fp16", "--out", out], "label"),
        (["tag", *line, "tags.precision=fp16", "--out", f"{out}.csv"], "tags"),
        (["evaluate", *model], "eval"),
        (["train", *line, "eval.precision=fp16", "--out", out], "eval"),
    ):
        assert cli.run(given) == 2
        said = f"{key}.precision=fp16: the device cpu cannot compute in it here (no Half kernel)"
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_opened_model_says_the_chosen_one(run_folder, no_units):
    for choice, meant in (("auto", "float32"), ("bf16", "bf16")):
        opened = open_predictor(ModelAt(run_folder, overrides=[f"eval.precision={choice}"]))
        assert opened.config.eval.precision == opened.predictor.precision == meant
