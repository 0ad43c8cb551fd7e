"""GeoTIFFs of four 16-bit bands: checked, trained on, predicted and labelled by the same keys."""

import json

import numpy as np
import pytest
from PIL import Image
from tests.data.images.geotiffs import CRS, TRANSFORM, rasterio, write_geotiff
from tests.end_to_end.worlds import COLOURS, SMALL, draw, scenes, train

import weclip
from weclip.cli import app as cli

PLAIN = ("data.bands=null", "data.range=null")
KEYS = ("data.bands=[3,2,1]", "data.range=[0,2550]")


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """The images of `worlds`, ten times as bright, blue first, with infrared and a table."""
    root = tmp_path_factory.mktemp("fields")
    rows = ["image,tags"]
    for index, (name, tags) in enumerate(scenes()[:8]):
        image, _ = draw(tags, index)
        bands = np.stack([*image.transpose(2, 0, 1)[::-1], image[..., 0]]).astype(np.uint16) * 10
        write_geotiff(root / f"{name}.tif", bands)
        rows.append(f"{name}.tif,{';'.join(tags)}")
    (root / "tags.csv").write_text("\n".join(rows))
    (root / "classes.yaml").write_text(
        "classes:\n" + "".join(f"  - name: {name}\n" for name in COLOURS)
    )
    return root


@pytest.fixture(scope="module")
def run(fields, clip_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "fields"
    assert train(out, *named(fields, clip_file), *SMALL, *KEYS, config="folder") == 0
    return out


def named(fields, clip_file):
    files = [f"data.root={fields}", f"data.classes={fields / 'classes.yaml'}"]
    return [
        *files,
        "data.tags_file=tags.csv",
        "data.train_split=train",
        f"clip.weights={clip_file}",
    ]


def test_without_the_keys_nothing_is_guessed(fields, clip_file, tmp_path, capsys):
    changes = [*named(fields, clip_file), *SMALL]
    assert train(tmp_path / "run", *changes, config="folder") == 2
    said = capsys.readouterr().err
    assert "a TIFF of 4 bands of 16 bits" in said
    assert "data.bands=[1,2,3] and" in said
    assert "data.range=[low,high] (its own go from" in said
    check = ["check", "--config", "folder", *named(fields, clip_file)]
    assert cli.run(check) == 2
    assert "data.bands" in capsys.readouterr().out
    assert cli.run([*check, *KEYS]) == 0
    assert "no errors" in capsys.readouterr().out


def test_a_model_reads_bands_as_it_was_trained(fields, run, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for index, (name, tags) in enumerate(scenes()[:2]):
        Image.fromarray(draw(tags, index)[0]).save(plain / f"{name}.png")
    given = [str(fields / "train_0.tif"), str(fields / "train_1.tif")]
    predict = ["predict", "--model", str(run), "eval.tile=64", "eval.long_side=100"]
    assert cli.run([*predict, *given, "--out", str(tmp_path / "geo"), "--overlays"]) == 0
    assert cli.run([*predict, str(plain), *PLAIN, "--out", str(tmp_path / "png")]) == 0
    for name in ("train_0", "train_1"):
        ids = np.asarray(Image.open(tmp_path / f"geo/masks/{name}.png"))
        assert np.array_equal(ids, np.asarray(Image.open(tmp_path / f"png/masks/{name}.png")))
        with rasterio.open(tmp_path / f"geo/geotiff/{name}.tif") as mask:
            assert np.array_equal(mask.read(1), ids)
            assert (str(mask.crs), mask.transform[:6], mask.nodata) == (CRS, TRANSFORM, 255)
    assert not (tmp_path / "png/geotiff").exists()
    settings = json.loads((tmp_path / "geo/run.json").read_text())["settings"]
    assert settings["bands"] == [3, 2, 1]
    assert (settings["range"], settings["tile"]) == ([0, 2550], 64)

    gone = tmp_path / "geo/geotiff/train_1.tif"
    gone.unlink()
    assert cli.run([*predict, *given, "--out", str(tmp_path / "geo"), "--resume"]) == 0
    assert gone.exists()


def test_no_data_is_none_in_every_output(run, tmp_path):
    bands = np.random.default_rng(0).integers(1, 255, (3, 48, 60), dtype=np.uint8)
    bands[:, :20] = 0
    image, out = write_geotiff(tmp_path / "a.tif", bands, nodata=0), tmp_path / "out"
    outputs = ["--overlays", "--confidence", "--report", "--out", str(out)]
    assert cli.run(["predict", str(image), "--model", str(run), *PLAIN, *outputs]) == 0
    ids, sure, painted = (
        np.asarray(Image.open(out / name / "a.png")) for name in ("masks", "confidence", "overlays")
    )
    assert np.array_equal(ids == 255, (bands == 0).all(0))
    assert not sure[:20].any()
    assert sure[20:].all()
    assert not painted[:20].any()  # black as the image, without paint
    page = (out / "report.html").read_text()
    assert "no data 41.7 %" in page
    assert "unsure" not in page.partition("</style>")[2]
    assert f"confidence {100 * sure[20:].mean() / 255:.0f} %" in page

    found = weclip.load(run, overrides=PLAIN).predict(image)
    assert np.array_equal(found.label_map, ids)
    assert not found.confidence[:20].any()
    assert sum(each.share for each in found.classes) == pytest.approx(28 / 48)
    assert all(len(line) for _, line in found.polygons())
    assert "Segmentation(60 x 48" in repr(found)
    found._repr_html_()


def test_images_that_are_seen_larger_than_in_training_are_told(run, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (90, 50)).save(tmp_path / name)
    predict = ["predict", str(tmp_path), "--model", str(run), *PLAIN]
    for number, (keys, times) in enumerate(
        [
            (["eval.long_side=null", "data.max_side=80"], 1),
            (["eval.long_side=null", "data.max_side=90"], 0),
            (["eval.long_side=100", "data.max_side=80"], 0),
        ]
    ):
        assert cli.run([*predict, *keys, "--out", str(tmp_path.with_name(f"out{number}"))]) == 0
        told = capsys.readouterr()
        assert (told.out + told.err).count("a.png: seen at its own size, but the trai") == times


def test_masks_from_tags_read_the_same_bands(fields, clip_file, tmp_path):
    changes = [*named(fields, clip_file), "label.scale=1.0", *KEYS]
    out = tmp_path / "masks"
    assert cli.run(["label", "--config", "folder", *changes, "--out", str(out)]) == 0
    assert len(list((out / "masks").glob("*.png"))) == 8


def test_images_that_lie_on_a_map_are_told_without_rasterio(
    fields, run, tmp_path, monkeypatch, capsys
):
    image = write_geotiff(tmp_path / "a.tif", np.full((3, 48, 48), 90, np.uint8))
    monkeypatch.setattr("weclip.data.masks.geo_masks.has_rasterio", lambda: False)
    predict = ["predict", str(image), "--model", str(run), *PLAIN, "--out", str(tmp_path / "out")]
    assert cli.run(predict) == 0
    told = capsys.readouterr()
    assert "1 of the images lies on a map; pip install 'weclip[geo]'" in told.out + told.err
    assert not (tmp_path / "out/geotiff").exists()
