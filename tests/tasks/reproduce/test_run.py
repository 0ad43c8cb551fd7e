"""Whole reproductions of tiny data in the real layouts."""

import json
import tarfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.tasks.reproduce.worlds import QUICK

from weclip.data.masks.colours import voc_palette
from weclip.system.console import QUIET
from weclip.system.errors import InputError, StoppedError
from weclip.tasks import prepare as preparation
from weclip.tasks.reproduce import run as command
from weclip.tasks.reproduce import work
from weclip.tasks.reproduce.lacking import NEEDS
from weclip.tasks.reproduce.run import make_request
from weclip.tasks.reproduce.run import reproduce as run
from weclip.tasks.reproduce.stages import SERVER_FOLDER, stages

WITHOUT = "weclip[crf]"


@pytest.fixture(autouse=True)
def no_crf(monkeypatch):
    """As where the extra is not installed."""
    monkeypatch.setitem(NEEDS, "crf", lambda request: WITHOUT)


def record(out):
    return json.loads((out / "reproduction.json").read_text())


def table(out) -> list[str]:
    """The table, without what it was made with."""
    return (out / "table.md").read_text().splitlines()[:-1]


def miou(folder, name):
    return 100 * json.loads((folder / "evaluation.json").read_text())[name]["miou"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, voc_root, clip_file):
    """A reproduction of `voc` that nothing interrupted; do not change it."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run(make_request("voc", voc_root, out, changes=[f"clip.weights={clip_file}", *QUICK]))
    return out


def test_voc(whole):
    rows = record(whole)["rows"]
    assert [row["published"] for row in rows] == [74.9, 76.4, 77.2, None, 75.4, None]
    val, crf, _, cam, refined, pseudo = rows
    assert val["ours"] == {"0": val["mean"]}
    assert val["mean"] == miou(whole / "seed-0/val", "Segmentation")
    assert val["difference"] == val["mean"] - 74.9
    assert val["protocol"] == (
        "val: segmentation; long side 48; scales 1, 0.75; flip; no CRF; float32; no tags"
    )
    for row, name in ((cam, "CAM"), (refined, "Refined CAM"), (pseudo, "Pseudo-label")):
        assert row["mean"] == miou(whole / "seed-0/train-labels", name) > 0
    assert crf["state"] == f"not run: needs {WITHOUT}"
    assert crf["mean"] is crf["difference"] is None
    text = (whole / "table.md").read_text()
    assert f"| 74.9 | {val['mean']:.1f} | {val['difference']:+.1f} | WeCLIP's paper; users" in text
    assert "- no reproduction, since it differs from what was published\n- changed: " in text
    assert "train.steps=2" in text
    assert "data.workers" not in text
    assert "- train_aug has 8 images, published: 10,582" in text
    assert record(whole)["versions"]["torch"] in text.splitlines()[-1]


def test_stopped_between_any_stages_it_goes_on_to_the_same_table(
    whole, tmp_path, voc_root, reproduce, monkeypatch, capsys
):
    out = tmp_path / "out"
    for stopped in ("train", "evaluate", "labels"):
        with monkeypatch.context() as patch:
            patch.setitem(work.WORK, stopped, interrupted(work.WORK[stopped]))
            assert reproduce("voc", voc_root, out) == 130
        assert "not run yet" in "".join(table(out))
    capsys.readouterr()
    trained = (out / "seed-0/train/model.safetensors").stat().st_mtime_ns
    assert reproduce("voc", voc_root, out) == 0
    shown = capsys.readouterr().out
    assert "seed-0/train: done already" in shown
    assert "seed-0/train-labels: weclip evaluate" in shown
    assert (out / "seed-0/train/model.safetensors").stat().st_mtime_ns == trained
    assert table(out) == table(whole)


def interrupted(stage):
    """A stage that does its work and is stopped before its record is kept."""

    def work_and_stop(*given):
        stage(*given)
        raise KeyboardInterrupt

    return work_and_stop


def test_a_signal_in_a_training_is_told_in_the_words_of_this_command(
    tmp_path, voc_root, reproduce, monkeypatch, capsys
):
    def stopped(*given):
        raise StoppedError("SIGTERM came; saved after step 1; add --resume")

    monkeypatch.setitem(work.WORK, "train", stopped)
    assert reproduce("voc", voc_root, tmp_path / "out") == StoppedError.exit_code
    line = "weclip: seed-0/train was stopped, saved; the same command goes on\n"
    assert capsys.readouterr().err.endswith(line)


def test_several_processes_are_refused(tmp_path, voc_root, monkeypatch):
    monkeypatch.setattr(command, "connect", lambda: SimpleNamespace(num_processes=2))
    with pytest.raises(InputError, match="reproduce is one process; start the commands of"):
        run(make_request("voc", voc_root, tmp_path / "out"))


def test_another_reproduction_is_refused_and_more_seeds_are_not(
    tmp_path, voc_root, reproduce, capsys
):
    out = tmp_path / "out"
    assert reproduce("cd-clip", voc_root, out) == 0
    before = table(out)
    for more, said in (
        (["label.par=true"], "label.par was False, now True"),
        (["clip.weights=demo"], "clip.weights was "),
    ):
        assert reproduce("cd-clip", voc_root, out, *more) == 2
        assert f"--out {out} holds another reproduction ({said}" in capsys.readouterr().err
    assert reproduce("voc", voc_root, out) == 2
    assert "name was cd-clip, now voc" in capsys.readouterr().err
    assert table(out) == before
    assert reproduce("cd-clip", voc_root, out, "--overwrite", "label.par=true") == 0
    assert "PAR" in record(out)["rows"][0]["protocol"]
    assert "several versions" not in "".join(table(out))
    path = out / "stages" / "maps.json"
    path.write_text(path.read_text().replace('"torch": "', '"torch": "1'))
    assert reproduce("cd-clip", voc_root, out, "label.par=true", "data.workers=1") == 0
    assert "- stages were run with several versions or devices: stages/" in table(out)


def test_seeds_have_a_mean_and_a_deviation(whole, tmp_path, voc_root, clip_file):
    changes = [f"clip.weights={clip_file}", *QUICK]
    request = make_request("voc", voc_root, tmp_path / "out", seeds="0,1", changes=changes)
    only = replace(request.table, rows=request.table.rows[3:4])
    row = run(replace(request, table=only))[0]
    assert row.ours["0"] == record(whole)["rows"][3]["mean"]
    assert row.mean == pytest.approx((row.ours["0"] + row.ours["1"]) / 2)
    assert row.deviation == pytest.approx(abs(row.ours["0"] - row.ours["1"]) / 2**0.5)
    assert f"{row.mean:.1f} ± {row.deviation:.1f}" in row.cells()
    assert "deviation of the seeds 0, 1" in "".join(table(request.out))


def test_masks_of_the_test_split_are_packed_for_the_server(tmp_path, voc_root, clip_file):
    changes = [f"clip.weights={clip_file}", *QUICK]
    request = make_request("voc", voc_root, tmp_path / "out", changes=changes)
    rows = (replace(request.table.rows[2], crf=False),)
    request = replace(request, table=replace(request.table, rows=rows))
    [row] = run(request)
    assert row.state == "for the server: seed-0/test/results.tar.gz"
    archive = request.out / "seed-0/test/results.tar.gz"
    with tarfile.open(archive) as tar:
        names = [f"{SERVER_FOLDER}/2008_{index}.png" for index in range(2)]
        assert tar.getnames() == names
        for name in names:
            with Image.open(tar.extractfile(name)) as mask:
                assert (mask.mode, mask.size) == ("P", (48, 48))
                assert mask.getpalette() == voc_palette()
                assert np.asarray(mask).max() <= 20
    before = archive.read_bytes()
    (request.out / "stages/seed-0-test.json").unlink()
    run(request)
    assert archive.read_bytes() == before


def test_without_test_images_the_row_says_so(tmp_path, voc_root):
    assert NEEDS["test images"](make_request("voc", voc_root, tmp_path / "out")) is None
    missing = make_request("voc", tmp_path, tmp_path / "out")
    assert "which VOC's server gives" in str(NEEDS["test images"](missing))


@pytest.mark.parametrize("name", ["coco", "coco-plus", "coco-afa"])
def test_coco(name, tmp_path, coco_root, reproduce, dino_file, mit_file):
    more = [f"dino.weights={dino_file}"] if name == "coco-plus" else []
    if name == "coco-afa":
        more = [f"mit.weights={mit_file}", "method.afa.width=16", "data.crop_size=32"]
    assert reproduce(name, coco_root, tmp_path / "out", *more) == 0
    [row] = record(tmp_path / "out")["rows"]
    if name == "coco":
        assert row["state"] == f"not run: needs {WITHOUT}"
    else:
        assert row["mean"] == miou(tmp_path / "out/seed-0/val", "Segmentation")
        scales = "1, 1.5" if name == "coco-plus" else "1, 0.5, 0.75 by their maximum"
        assert f"scales {scales}; flip" in row["protocol"]


@pytest.mark.parametrize("name", ["clip-es", "excel"])
def test_maps(name, tmp_path, voc_root, reproduce):
    out = tmp_path / "out"
    more = ["label.square=64"] if name == "excel" else []
    assert reproduce(name, voc_root, out, *more) == 0
    first, second = record(out)["rows"]
    assert first["mean"] == miou(out / "maps-scores", "maps") > 0
    assert second["state"].startswith("not run: needs ")
    assert record(out)["seeds"] == []
    assert first["ours"].keys() == {"-"}


def test_corrclip_without_tags(tmp_path, voc_root, reproduce, dino_file):
    """With regions of another source in the place of SAM 2's; the table says so."""
    pytest.importorskip("skimage", reason="needs the extra 'regions'")
    quick = "windows.side=42 windows.stride=42 windows.short_side=null clip.prompt_template='a {}.'"
    regions = ["regions.source=superpixels", f"dino.weights={dino_file}", *quick.split(maxsplit=3)]
    assert reproduce("corrclip", voc_root, tmp_path / "out") == 0
    rows = record(tmp_path / "out")["rows"]
    assert all("not run: needs dino.weights=FILE" in row["state"] for row in rows)
    assert reproduce("corrclip", voc_root, tmp_path / "other", *regions) == 0
    first, _ = record(tmp_path / "other")["rows"]
    assert first["mean"] == miou(tmp_path / "other/maps-scores", "maps")
    assert first["protocol"] == "val: maps; no CRF; float32; no tags"
    told = (tmp_path / "other/table.md").read_text()
    assert "regions.source=superpixels" in told
    assert "dino.weights" not in told


def test_texts_that_are_given_make_the_row_that_needs_them(tmp_path, voc_root, reproduce):
    texts = tmp_path / "texts.yaml"
    texts.write_text("bird: [a bird has wings]\ncat: [a cat has fur]\ndog: [a dog barks]\n")
    more = [f"clip.descriptions={texts}", "label.square=64"]
    assert reproduce("excel", voc_root, tmp_path / "out", *more) == 0
    plain, enriched = record(tmp_path / "out")["rows"]
    assert plain["state"] == enriched["state"] == "scored"
    assert "clip.descriptions" not in (tmp_path / "out/table.md").read_text()


def test_only_data_that_are_not_there_are_fetched(tmp_path, voc_root, monkeypatch):
    fetched = []

    def prepare(what, root, *, console):
        fetched.append(what)
        if what == "voc":
            root.mkdir()
            (root / "VOC2012").symlink_to(voc_root / "VOCdevkit/VOC2012")
        return preparation.Prepared("", 0)

    monkeypatch.setattr(preparation, "prepare", prepare)
    request = make_request("voc", tmp_path / "data", tmp_path / "out")
    for each in stages(request)[:2]:
        work.WORK[each.kind](request, each, QUIET)
    assert fetched == ["voc", "clip"]
    counts = work.WORK["prepare"](request, stages(request)[0], QUIET)["images"]
    assert counts == {"train": 8, "val": 3, "train_aug": 8}
    assert fetched == ["voc", "clip"]
