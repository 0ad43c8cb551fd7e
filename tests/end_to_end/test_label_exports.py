"""All that `weclip label` can write, from the command line: exports, soft maps, shards."""

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.end_to_end import worlds
from tests.end_to_end.scored_masks import read
from tests.exports import decoders
from tests.exports.decoders import CLASSES, NAMES, without_unsure

from weclip.cli import app as cli
from weclip.data.classes import load_classes
from weclip.exports.formats import EXPORTS

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
VOC = load_classes("voc").names
OF_VERSIONS = {"run.json", "label.json", "report.html"}
ALL = ["--overlays", "--soft", "--export", ",".join(EXPORTS)]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Work on images this small is quick with one, however busy the cores are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def results(out: Path) -> dict[str, bytes]:
    """All files but those that name versions, or their folder."""
    files = worlds.folder_content(out).items()
    return {name: content for name, content in files if name not in OF_VERSIONS}


@pytest.fixture(scope="module")
def line(voc_world, clip_file):
    """The command line on the VOC folder, without `--out`."""
    pytest.importorskip("pycocotools", reason="needs the extra 'prepare'")
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    return ["label", "--config", "voc", *data, f"clip.weights={clip_file}"]


@pytest.fixture(scope="module")
def whole(line, tmp_path_factory):
    """An output of one run with everything; do not change it."""
    out = tmp_path_factory.mktemp("label") / "out"
    assert cli.run([*line, "--out", str(out), *ALL]) == 0
    return out


ENDS = [(2, 1), (1, 2, 3), (2, 3, 1), (3, 1, 2)]
"""Orders of shards in which each is the last; all orders where there is time (make test-long)."""
ORDERS = [
    pytest.param(order, marks=[] if order in ENDS else [pytest.mark.long])
    for count in (2, 3)
    for order in itertools.permutations(range(1, count + 1))
]


@pytest.mark.parametrize("order", ORDERS)
def test_shards_together_are_the_whole(line, whole, tmp_path, order):
    out = tmp_path / "out"
    for count, index in enumerate(order, 1):
        assert not (out / "manifest.jsonl").exists()
        assert cli.run([*line, "--out", str(out), *ALL, "--shard", f"{index}/{len(order)}"]) == 0
        exported = {path.name for path in out.iterdir()} & {"coco.json", "cvat.zip", *EXPORTS}
        assert len(exported) == (len(EXPORTS) if count == len(order) else 0)
    assert results(out) == results(whole)


def test_a_finished_output_gets_an_export_later(line, whole, tmp_path):
    out = tmp_path / "out"
    assert cli.run([*line, "--out", str(out), "--overlays", "--soft"]) == 0
    masks = {path: path.stat().st_mtime_ns for path in (out / "masks").iterdir()}
    for name in EXPORTS:
        assert cli.run([*line, "--out", str(out), "--resume", "--export", name]) == 0
    assert results(out) == results(whole)
    assert masks == {path: path.stat().st_mtime_ns for path in (out / "masks").iterdir()}


def test_soft_maps_are_small_and_hold_no_pickle(whole, voc_world):
    ranges = set()
    for name, tags in worlds.scenes()[:8]:
        record = next(r for r in manifest(whole) if r["name"] == name)
        with np.load(whole / "soft" / f"{name}.npz", allow_pickle=False) as soft:
            assert set(soft.files) == {"maps", "class_ids", "size", "shares"}
            assert not soft["shares"]
            maps, class_ids, size = soft["maps"], soft["class_ids"], soft["size"]
        assert (maps.dtype, class_ids.dtype) == (np.uint8, np.uint8)
        assert maps.shape == (len(tags), 6, 6) if tags else maps.shape[0] == 0
        ids = [["background", *VOC].index(tag) for tag in record["tags"]]
        assert class_ids.tolist() == ids
        assert tuple(size) == read(voc_world / "JPEGImages" / f"{name}.png").shape[:2]
        ranges.update((each.min(), each.max()) for each in maps)
    assert ranges == {(0, 255), (0, 0)}  # some maps of a random CLIP are empty


def test_a_soft_map_that_is_missing_is_made_again(line, whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    kept = {path: path.stat().st_mtime_ns for path in (out / "soft").iterdir()}
    gone = out / "soft" / "train_3.npz"
    gone.unlink()
    del kept[gone]
    assert cli.run([*line, "--out", str(out), *ALL, "--resume"]) == 0
    assert results(out) == results(whole)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_soft_maps_can_be_added_to_a_finished_output(line, whole, tmp_path):
    out = tmp_path / "out"
    assert cli.run([*line, "--out", str(out)]) == 0
    assert not (out / "soft").exists()
    assert cli.run([*line, "--out", str(out), "--resume", "--soft"]) == 0
    for folder in ("soft", "masks"):
        assert results(out / folder) == results(whole / folder)


def manifest(out: Path) -> list[dict]:
    return [json.loads(row) for row in (out / "manifest.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def traps(clip_file, tmp_path_factory):
    """Images whose names and sizes are hard, with unsure pixels, in all exports."""
    root = tmp_path_factory.mktemp("traps")
    decoders.write_output(root)
    shutil.rmtree(root / "out")
    rng = np.random.default_rng(1)
    tags = (("dog", "sofa & <bed>", "vélo"), ("vélo",), ("dog", "vélo"), (), ("sofa & <bed>",))
    for path in (root / "photos").rglob("*.png"):
        pixels = rng.integers(0, 256, read(path).shape, np.uint8)
        decoders.Image.fromarray(pixels).save(path)
    rows = [
        json.dumps({"image": f"{name}.png", "tags": each, "split": "train"})
        for name, each in zip(NAMES, tags, strict=True)
    ]
    (root / "photos" / "tags.jsonl").write_text("\n".join(rows))
    names = json.dumps(CLASSES.names)
    (root / "photos" / "classes.yaml").write_text(f"classes: {names}\nbackground_words: [grass]\n")
    given = [str(root / "photos"), f"clip.weights={clip_file}", "label.confidence=0.55"]
    given += ["--method", "excel", "--export", "coco, yolo,cvat"]
    given += ["--export", "label-studio,fiftyone,huggingface"]
    assert cli.run(["label", *given, "--out", str(root / "out")]) == 0
    masks = {name: read(root / "out" / "masks" / f"{name}.png") for name in NAMES}
    assert {0, 1, 2, 3, 255} == set().union(*(mask.flat for mask in masks.values()))
    return root, masks


def test_exports_of_one_document_decode_to_the_masks(traps):
    root, masks = traps
    found = decoders.coco(root / "out" / "coco.json")
    tasks = json.loads((root / "out" / "label-studio" / "tasks.json").read_text())
    scores = [record["confidence"] for record in manifest(root / "out")]
    assert [task["predictions"][0]["score"] for task in tasks] == scores
    for task, (name, mask) in zip(tasks, masks.items(), strict=True):
        assert np.array_equal(found[f"{name}.png"], without_unsure(mask))
        assert np.array_equal(decoders.label_studio(task, mask.shape), mask)


@pytest.mark.parametrize("name", NAMES)
def test_exports_of_a_file_for_each_image_decode_to_the_masks(traps, name):
    root, masks = traps
    out, mask = root / "out", masks[name]
    assert np.array_equal(decoders.yolo(out / "yolo", name, mask.shape), without_unsure(mask))
    assert np.array_equal(decoders.cvat(out / "cvat.zip", name), mask)
    for tool, images in (("fiftyone", "data"), ("huggingface", "images"), ("yolo", "images")):
        assert (out / tool / images / f"{name}.png").samefile(root / "photos" / f"{name}.png")
        if tool != "yolo":
            assert np.array_equal(read(out / tool / "labels" / f"{name}.png"), mask)


def test_the_pages_snippet_gives_the_probabilities(clip_file, tmp_path, monkeypatch):
    """Its classes are the mask's, but where 8 bits cannot tell which of two leads."""
    (snippet,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (45, 61, 3), np.uint8)
    decoders.Image.fromarray(pixels).save("photos/dog.png")
    Path("photos/tags.csv").write_text("image,tags\ndog.png,dog;sofa\n")
    given = ["label", "photos", f"clip.weights={clip_file}", "--out", "out", "--soft"]
    assert cli.run([*given, "--method", "excel"]) == 0
    names: dict = {}
    exec(snippet, names)
    probabilities, mask = names["probabilities"], read(Path("out/masks/dog.png"))
    assert probabilities.shape == (3, 45, 61)
    assert np.allclose(probabilities.sum(0), 1, atol=1e-6)
    ids = np.array([0, *names["soft"]["class_ids"]])
    last, best = np.sort(probabilities, axis=0)[-2:]
    sure = best - last > 2 / 255
    assert sure.mean() > 0.9
    assert set(mask[sure]) == {0, 1, 2}
    assert np.array_equal(ids[probabilities.argmax(0)][sure], mask[sure])
    confidence = manifest(Path("out"))[0]["confidence"]
    assert best.mean() == pytest.approx(confidence, abs=2 / 255)
