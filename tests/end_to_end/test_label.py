"""`weclip label` from the command line: masks, manifest, resume, shards, processes, COCO."""

import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.distributed import launch
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.config_file import load_config, to_yaml
from weclip.data.classes import load_classes
from weclip.system.errors import InputError
from weclip.tasks.label import joining
from weclip.tasks.label import run as command
from weclip.tasks.train.resume import changes

NAMES = [name for name, _ in worlds.scenes() if name.startswith("train")]
TAGS = dict(worlds.scenes())


@pytest.fixture(scope="module")
def line(voc_world: Path, clip_file: Path) -> list[str]:
    """The command line on the VOC folder, without `--out`."""
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    return ["label", "--config", "voc", *data, f"clip.weights={clip_file}"]


@pytest.fixture(scope="module")
def whole(line: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished output with everything; do not change it."""
    out = tmp_path_factory.mktemp("label") / "whole"
    assert cli.run([*line, "--out", str(out), "--overlays", "--export", "coco"]) == 0
    return out


def read_manifest(out: Path) -> list[dict]:
    return [json.loads(row) for row in (out / "manifest.jsonl").read_text().splitlines()]


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def content(out: Path) -> dict[str, bytes]:
    """All files but those that name versions, or the folder."""
    files, named = worlds.folder_content(out), ("run.json", "label.json", "report.html")
    return {name: data for name, data in files.items() if name not in named}


def test_masks_hold_the_tags_at_the_images_own_size(whole: Path, voc_world: Path) -> None:
    classes, seen = load_classes("voc"), set()
    assert sorted(path.stem for path in (whole / "masks").iterdir()) == sorted(NAMES)
    for name in NAMES:
        with Image.open(whole / "masks" / f"{name}.png") as mask:
            assert mask.mode == "P"
            assert mask.getpalette() == classes.palette.ravel().tolist()
        ids = read(whole / "masks" / f"{name}.png")
        assert ids.shape == read(voc_world / "JPEGImages" / f"{name}.png").shape[:2]
        assert set(ids.flat) <= {0, *(classes.index(tag) + 1 for tag in TAGS[name])}
        seen.update(ids.flat)
    assert len(seen) > 1


def test_overlays_paint_the_masks(whole: Path, voc_world: Path) -> None:
    palette = load_classes("voc").palette
    for name in NAMES:
        photo = read(voc_world / "JPEGImages" / f"{name}.png")
        ids = read(whole / "masks" / f"{name}.png")[..., None]
        painted = (0.4 * photo + 0.6 * palette[ids[..., 0]]).round()
        shown = read(whole / "overlays" / f"{name}.png")
        assert np.abs(shown - np.where(ids > 0, painted, photo)).max() <= 1


def test_the_manifest_says_what_is_in_the_masks(whole: Path) -> None:
    records = read_manifest(whole)
    assert [record["name"] for record in records] == NAMES
    classes = load_classes("voc")
    for record in records:
        ids = read(whole / "masks" / f"{record['name']}.png")
        assert record["file"] == f"JPEGImages/{record['name']}.png"
        assert tuple(record["tags"]) == TAGS[record["name"]]
        assert (record["height"], record["width"]) == ids.shape
        assert record["shares"].keys() == {"background", *record["tags"]}
        for name, share in record["shares"].items():
            assert share == pytest.approx(
                (ids == classes.names_with_background.index(name)).mean(), abs=1e-6
            )
        assert record["unsure"] == 0
        assert 1 / (1 + len(record["tags"])) <= record["confidence"] <= 1


def test_the_recipe_says_how(whole: Path, clip_file: Path) -> None:
    recipe = json.loads((whole / "label.json").read_text())
    assert recipe["method"] == "gradcam, attention"
    assert recipe["classes"][:2] == ["background", "aeroplane"]
    assert recipe["clip"]["name"] == clip_file.name
    assert len(recipe["clip"]["sha256"]) == 64
    assert recipe["config"]["affinity.attention.box_threshold"] == 0.4
    assert recipe["config"]["label.crf_bilateral_sxy"] == 67
    assert {"weclip", "torch", "commit"} <= recipe["versions"].keys()


def test_images_without_tags_are_background(line, tmp_path, capsys) -> None:
    assert cli.run([*line, "--out", str(tmp_path / "out"), "label.confidence=0.99"]) == 0
    assert "1 of 8 images have no tags: their masks are background" in capsys.readouterr().out
    record = read_manifest(tmp_path / "out")[NAMES.index("train_5")]
    assert (record["tags"], record["shares"], record["confidence"]) == ([], {"background": 1.0}, 1)
    assert not read(tmp_path / "out" / "masks" / "train_5.png").any()


def test_unsure_pixels_are_255_and_belong_to_no_segmentation(line, whole, tmp_path) -> None:
    out = tmp_path / "out"
    changes = ["label.confidence=0.6", "--export", "coco"]
    assert cli.run([*line, "--out", str(out), *changes]) == 0
    shares = []
    for record in read_manifest(out):
        ids, sure = (read(each / "masks" / f"{record['name']}.png") for each in (out, whole))
        assert record["unsure"] == pytest.approx((ids == 255).mean(), abs=1e-6)
        assert np.array_equal(ids[ids != 255], sure[ids != 255])
        shares.append(record["unsure"])
    assert 0 < max(shares) < 1
    document = json.loads((out / "coco.json").read_text())
    assert 255 not in {each["category_id"] for each in document["annotations"]}


def test_par_makes_other_masks(line, whole, tmp_path) -> None:
    changes = ["label.par=true", "par.iterations=2", "par.dilations=[1,2]"]
    assert cli.run([*line, "--out", str(tmp_path / "out"), *changes]) == 0
    pairs = [[read(o / "masks" / f"{n}.png") for o in (tmp_path / "out", whole)] for n in NAMES]
    assert any((one != other).any() for one, other in pairs)


def test_coco_decodes_to_the_masks(whole: Path, capsys) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="needs the extra 'prepare'")
    loaded = coco.COCO(str(whole / "coco.json"))
    classes = load_classes("voc")
    assert [each["name"] for each in loaded.loadCats(loaded.getCatIds())] == list(classes.names)
    assert len(loaded.getImgIds()) == len(NAMES)
    assert loaded.getAnnIds()
    for image in loaded.loadImgs(loaded.getImgIds()):
        ids = np.zeros((image["height"], image["width"]), np.uint8)
        for each in loaded.loadAnns(loaded.getAnnIds(image["id"])):
            region = loaded.annToMask(each).astype(bool)
            assert each["area"] == region.sum()
            ids[region] = each["category_id"]
        assert np.array_equal(ids, read(whole / "masks" / f"{Path(image['file_name']).stem}.png"))


def test_a_run_that_broke_is_resumed_to_the_same_files(line, whole, tmp_path, monkeypatch) -> None:
    out, real, written = tmp_path / "out", command.write_whole, []

    def fails(*arguments) -> None:
        if len(written) == 3:
            raise InputError("no more")
        written.append(arguments[1].name)
        real(*arguments)

    monkeypatch.setattr(command, "write_whole", fails)
    everything = [*line, "--out", str(out), "--overlays", "--export", "coco"]
    assert cli.run(everything) == 2
    assert len(list((out / "masks").iterdir())) == 3
    assert not (out / "manifest.jsonl").exists()
    (out / "masks" / ".train_7.png.1.tmp").write_bytes(b"half")
    (out / "overlays" / "train_1.png").unlink()
    written.clear()
    monkeypatch.setattr(command, "write_whole", lambda *a: (written.append(a[1].name), real(*a)))
    assert cli.run([*everything, "--resume"]) == 0
    assert written == ["train_1", *NAMES[3:]]
    assert content(out) == content(whole)
    written.clear()
    assert cli.run([*everything, "--resume"]) == 0
    assert written == []


def test_an_image_whose_tags_have_changed_is_made_again(line, whole, tmp_path) -> None:
    tags = tmp_path / "tags.csv"
    tags.write_text("image,tags\n" + "".join(f"{n}.png,{';'.join(TAGS[n])}\n" for n in NAMES))
    arguments = [*line, f"data.tags_file={tags}", "--out", str(tmp_path / "out"), "--resume"]
    assert cli.run(arguments) == 0
    tags.write_text(tags.read_text().replace("train_2.png,dog", "train_2.png,bird"))
    before = content(tmp_path / "out")
    assert cli.run(arguments) == 0
    after = content(tmp_path / "out")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"masks/train_2.png", "manifest.jsonl", "scenes.csv"}
    assert read_manifest(tmp_path / "out")[2]["tags"] == ["bird"]


def test_shards_together_are_the_whole(line, whole, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    shard = [*line, "--out", str(out), "--overlays", "--export", "coco", "--shard"]
    for index, done in ((2, 3), (3, 5), (1, 8)):
        capsys.readouterr()
        assert cli.run([*shard, f"{index}/3"]) == 0
        assert len(list((out / "masks").iterdir())) == done
        assert f"{done} masks in" in capsys.readouterr().out
        assert (out / "manifest.jsonl").exists() == (done == 8)
    assert content(out) == content(whole)


def test_more_shards_than_images(line, tmp_path) -> None:
    assert cli.run([*line, "--out", str(tmp_path / "out"), "--shard", "9/9"]) == 0
    assert not (tmp_path / "out" / "masks").exists()


def test_two_processes_make_what_one_makes(line, whole, tmp_path) -> None:
    out = tmp_path / "out"
    told = launch.run(2, [*line, "--out", str(out), "--overlays", "--export", "coco"])
    assert told.count("8 masks in") == 1
    assert content(out) == content(whole)


def test_overwrite_makes_it_anew(line, whole, tmp_path) -> None:
    out = tmp_path / "out"
    assert cli.run([*line, "--out", str(out), "label.confidence=0.9"]) == 0
    everything = ["--overlays", "--export", "coco", "--overwrite"]
    assert cli.run([*line, "--out", str(out), *everything]) == 0
    assert content(out) == content(whole)


def test_a_folder_in_one_word_keeps_sub_folders(tmp_path, clip_file) -> None:
    photos = worlds.write_folder(tmp_path / "photos")
    given = ["label", str(photos), f"clip.weights={clip_file}", "--out", str(tmp_path / "out")]
    assert cli.run(given) == 0
    assert [r["file"] for r in read_manifest(tmp_path / "out")] == [f"train/{n}.jpg" for n in NAMES]
    assert len(list((tmp_path / "out" / "masks" / "train").iterdir())) == len(NAMES)


@pytest.mark.parametrize(
    ("modules", "arguments", "hint"),
    [
        (("pydensecrf", "pydensecrf.densecrf"), ["label.crf=true"], "weclip[crf]"),
        (("pycocotools",), ["--export", "coco"], "weclip[prepare]"),
    ],
)
def test_a_missing_extra_is_one_line(
    line, tmp_path, capsys, monkeypatch, modules, arguments, hint
) -> None:
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    assert cli.run([*line, "--out", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err
    assert hint in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def swap(image: np.ndarray, probabilities: np.ndarray, **settings: float) -> np.ndarray:
    """Stands for the CRF, in processes of its own: every class loses against background."""
    assert settings["bilateral_sxy"] == 67
    assert image.shape[:2] == probabilities.shape[1:]
    surer = probabilities**3
    return surer / surer.sum(0)


def test_the_crf_has_its_numbers_and_its_threshold(line, tmp_path, monkeypatch) -> None:
    def build(config):
        real = {"bilateral_sxy": config.label.crf_bilateral_sxy}
        return partial(swap, **real) if config.label.crf else None

    monkeypatch.setattr(command, "build_label_crf", build)
    assert cli.run([*line, "--out", str(tmp_path / "out"), "label.crf=true"]) == 0
    assert any(0 < record["unsure"] < 1 for record in read_manifest(tmp_path / "out"))


def test_two_shards_that_start_at_once_share_the_folder(line, whole, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    assert cli.run([*line, "--out", str(out), "--overlays", "--shard", "1/2"]) == 0
    (out / "label.json").unlink()  # the other shard has only begun
    real, asked = joining.is_output, []

    def slow(*arguments) -> bool:
        asked.append(arguments)
        return len(asked) > 1 and real(*arguments)  # the other begins after it was looked for

    monkeypatch.setattr(joining, "is_output", slow)
    arguments = [*line, "--out", str(out), "--overlays", "--export", "coco", "--shard", "2/2"]
    assert cli.run(arguments) == 0
    assert len(asked) == 2
    assert content(out) == content(whole)


def test_trainings_of_before_the_section_label_go_on() -> None:
    now = to_yaml(load_config("voc", ["data.root=VOC2012", "clip.weights=ViT-B-16.pt"]))
    before = now[: now.index("label:")]
    checkpoint = SimpleNamespace(config=before, inputs={})
    assert changes(checkpoint, now, {}) == []
    other = now.replace("par: false", "par: true").replace("steps: 30000", "steps: 3")
    assert changes(checkpoint, other, {}) == ["train.steps was 30000, now 3"]
