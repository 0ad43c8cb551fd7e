"""`weclip regions` from the command line: maps, manifest, resume, shards; and what reads them."""

import json

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds
from tests.labels.regions.overlapping import PLUGIN

from weclip.cli import app as cli
from weclip.config_file import load_config
from weclip.data.batch import TaggedImage
from weclip.data.regions.id_maps import read_id_map
from weclip.inference.given_image import as_rgb
from weclip.system.errors import InputError
from weclip.tasks.regions.reading import UNKNOWN, open_regions

pytest.importorskip("skimage", reason="needs the extra 'regions'")

NAMES = [name for name, _ in worlds.scenes() if name.startswith("train")]
ALL = [name for name, _ in worlds.scenes()]
NO_RESULTS = ("run.json", "regions.json")


@pytest.fixture(scope="module")
def line(voc_world):
    """The command line on the VOC folder, without `--out`."""
    data = [f"data.root={voc_world}", "data.train_split=train"]
    return ["regions", "--config", "voc", *data, "regions.source=graph"]


@pytest.fixture(scope="module")
def whole(line, tmp_path_factory):
    """A finished output; do not change it."""
    out = tmp_path_factory.mktemp("regions") / "whole"
    assert cli.run([*line, "--out", str(out), "--overlays"]) == 0
    return out


def content(out):
    files = worlds.folder_content(out)
    return {name: data for name, data in files.items() if name not in NO_RESULTS}


def test_an_id_map_of_each_image_and_a_record(whole, voc_world):
    lines = [json.loads(row) for row in (whole / "manifest.jsonl").read_text().splitlines()]
    assert sorted(each["name"] for each in lines) == sorted(ALL)
    for each in lines:
        ids = read_id_map(whole / "maps" / f"{each['name']}.png")
        assert ids.shape == (each["height"], each["width"]) == (48, 48)
        assert len(np.unique(ids)) == each["regions"] > 1
        assert each["covered"] == 1
        with Image.open(whole / "overlays" / f"{each['name']}.png") as overlay:
            assert overlay.size == (48, 48)
    record = json.loads((whole / "regions.json").read_text())
    assert record["source"] == "graph"
    assert record["saw_human_masks"] is False
    assert record["settings"]["sigma"] == 0.5
    assert record["versions"].keys() >= {"weclip", "scikit-image"}
    assert not (whole / "masks").exists()


def test_a_folder_without_tags_and_classes_keeps_its_sub_folders(tmp_path, voc_world, capsys):
    for place in ("a.png", "deep/er/b.png"):
        target = tmp_path / "photos" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((voc_world / "JPEGImages" / f"{NAMES[0]}.png").read_bytes())
    out = tmp_path / "out"
    assert cli.run(["regions", str(tmp_path / "photos"), "--out", str(out)]) == 0
    assert (out / "maps" / "deep" / "er" / "b.png").exists()
    assert "2 images in train; no tags are read" in capsys.readouterr().out


def test_only_what_is_missing_is_done_again(whole, line, tmp_path):
    out = tmp_path / "out"
    assert cli.run([*line, "--out", str(out), "--overlays"]) == 0
    (out / "maps" / f"{NAMES[1]}.png").unlink()
    (out / "overlays" / f"{NAMES[2]}.png").unlink()
    kept = (out / "maps" / f"{NAMES[0]}.png").stat().st_mtime_ns
    assert cli.run([*line, "--out", str(out), "--overlays", "--resume"]) == 0
    assert (out / "maps" / f"{NAMES[0]}.png").stat().st_mtime_ns == kept
    assert content(out) == content(whole)


def test_shards_make_the_same(whole, line, tmp_path, capsys):
    out = tmp_path / "out"
    for shard in ("2/3", "1/3", "3/3"):
        assert not (out / "manifest.jsonl").exists()
        assert cli.run([*line, "--out", str(out), "--overlays", "--shard", shard]) == 0
    assert content(out) == content(whole)


def test_another_recipe_is_refused(whole, line, capsys):
    more = ["regions.graph.sigma=0", "--resume", "--out", str(whole)]
    assert cli.run([*line, *more]) == 2
    assert "regions.graph.sigma was 0.5, now 0.0" in capsys.readouterr().err


def test_a_guide_is_read_and_named(line, dino_file, tmp_path):
    out = tmp_path / "out"
    guided = [*line[:-1], "regions.source=merged", f"dino.weights={dino_file}"]
    assert cli.run([*guided, "--out", str(out)]) == 0
    record = json.loads((out / "regions.json").read_text())
    assert len(record["guide"]["sha256"]) == 64


def config_of(voc_world, **changes):
    given = {"data.root": str(voc_world), "clip.weights": "x", **changes}
    return load_config("voc", [given])


def test_images_of_another_command_stay_in_the_manifest(line, whole, tmp_path):
    out = tmp_path / "out"
    alone = [*line, "data.eval_split=null", "--out", str(out)]
    assert cli.run(alone) == 0
    names = [json.loads(row)["name"] for row in (out / "manifest.jsonl").open()]
    assert names == NAMES
    assert cli.run([*alone, "data.train_split=val", "--resume"]) == 0
    rows = (out / "manifest.jsonl").read_text().splitlines()
    assert sorted(rows) == sorted((whole / "manifest.jsonl").read_text().splitlines())


def test_maps_of_another_image_or_command_are_refused(line, whole, voc_world, tmp_path):
    """A folder of `weclip regions` is believed in what its maps say, not in their names."""
    config = load_config("voc", ["data.root=x", "clip.weights=y", f"regions.files={whole}"])
    own, pixels = image_of(voc_world)
    assert open_regions(config)(own, pixels).id_map.shape == (48, 48)
    other = TaggedImage(own.name, voc_world / "JPEGImages" / f"{NAMES[1]}.png", ())
    with pytest.raises(InputError, match=f"not an id map that weclip regions made of .*{NAMES[1]}"):
        open_regions(config)(other, pixels)
    mixed = tmp_path / "mixed"
    assert cli.run([*line, "regions.graph.scale=50", "--out", str(mixed)]) == 0
    name = f"maps/{NAMES[0]}.png"
    (mixed / name).write_bytes((whole / name).read_bytes())
    config.regions.files = str(mixed)
    with pytest.raises(InputError, match=r"made of this recipe \(regions.json\); make it again"):
        open_regions(config)(own, pixels)


def image_of(voc_world, name=NAMES[0]):
    path = voc_world / "JPEGImages" / f"{name}.png"
    return TaggedImage(name, path, ()), as_rgb(path)


def test_files_give_what_the_source_made(whole, voc_world):
    image, pixels = image_of(voc_world)
    made = open_regions(config_of(voc_world, **{"regions.source": "graph"}))
    read = open_regions(config_of(voc_world, **{"regions.files": str(whole)}))
    assert (made(image, pixels).id_map == read(image, pixels).id_map).all()
    assert read.record.items() >= made.record.items()
    assert len(read.record["files"]) == 64
    with pytest.raises(InputError, match="regions in files go by the names of images"):
        read(None, pixels)
    assert (made(None, pixels).id_map == read(image, pixels).id_map).all()


def test_files_made_elsewhere_are_unknown(whole, voc_world):
    image, pixels = image_of(voc_world)
    reader = open_regions(config_of(voc_world, **{"regions.files": str(whole / "maps")}))
    assert reader.record == {"source": "files", "saw_human_masks": UNKNOWN}
    assert reader(image, pixels).proposals is None


def test_masks_that_overlap_are_written_and_read(line, voc_world, tmp_path):
    (tmp_path / "parts.py").write_text(PLUGIN)
    given = [*line[:-1], "regions.source=overlapping", "--plugin", str(tmp_path / "parts.py")]
    out, image = tmp_path / "out", image_of(voc_world)
    assert cli.run([*given, "--out", str(out)]) == 0
    regions = open_regions(config_of(voc_world, **{"regions.files": str(out)}))(*image)
    assert regions.proposals.masks.shape == (2, 48, 48)
    assert np.unique(regions.id_map).tolist() == [0, 1, 2]
    masks_file = out / "masks" / f"{image[0].name}.json"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / masks_file.name).write_bytes(masks_file.read_bytes())
    again = open_regions(config_of(voc_world, **{"regions.files": str(foreign)}))(*image)
    assert (again.id_map == regions.id_map).all()
    masks_file.unlink()
    assert cli.run([*given, "--out", str(out), "--resume"]) == 0
    assert masks_file.exists()
