"""`weclip label` by CorrCLIP over windows, and without tags."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli

torch = pytest.importorskip("torch")
pytest.importorskip("skimage", reason="needs the extra 'regions'")
NAMES = [name for name, _ in worlds.scenes() if name.startswith("train")]
WINDOWS = "windows.side=42 windows.stride=14 windows.multiple=14".split()


@pytest.fixture(scope="module")
def line(voc_world: Path, clip_file: Path, dino_file: Path) -> list[str]:
    given = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    files = [f"clip.weights={clip_file}", f"dino.weights={dino_file}", "regions.source=superpixels"]
    chosen = ["--config", "voc", "--method", "corrclip", "regions.superpixels.count=12"]
    return [*chosen, *given, *files, *WINDOWS, "clip.prompt_template=a {}."]


def masks(out: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(out / "masks" / f"{name}.png")) for name in NAMES]


def records(out: Path) -> list[dict]:
    return [json.loads(each) for each in (out / "manifest.jsonl").read_text().splitlines()]


def class_ids() -> dict[str, int]:
    from weclip.data.classes import load_classes

    names = load_classes("voc").names_with_background
    return {name: index for index, name in enumerate(names)}


def test_windows_with_tags(line, tmp_path, capsys):
    """Masks hold tags and background; soft maps have CLIP's patches; quirks change them."""
    out, released = tmp_path / "out", tmp_path / "released"
    assert cli.run(["label", *line, "--soft", "--out", str(out)]) == 0
    ids = class_ids()
    for record, mask in zip(records(out), masks(out), strict=True):
        assert {*np.unique(mask)} <= {0, *(ids[tag] for tag in record["tags"])}
    recipe = json.loads((out / "label.json").read_text())
    assert recipe["method"] == "region_attention over windows, none"
    assert recipe["regions"]["saw_human_masks"] is False
    with np.load(out / "soft" / f"{NAMES[0]}.npz") as soft:
        height, width = records(out)[0]["height"], records(out)[0]["width"]
        assert soft["maps"].shape[1:] == (height // 8, width // 8)
    quirk = "quirks.ragged_window=true"
    assert cli.run(["label", *line, quirk, "--soft", "--out", str(released)]) == 0
    soft = [(each / "soft" / f"{NAMES[0]}.npz").read_bytes() for each in (out, released)]
    assert soft[0] != soft[1]
    capsys.readouterr()
    again = ["label", *line, "windows.guide=whole", "--resume", "--out", str(out)]
    assert cli.run(again) == 2
    assert "windows.guide was window-query-key, now whole" in capsys.readouterr().err


def test_every_class_may_be_anywhere(line, tmp_path, capsys):
    """Tags in the manifest are the classes of the mask; background where no score is high."""
    free = ["label", *line, "label.any_class=true", "windows.short_side=null"]
    low, high = tmp_path / "low", tmp_path / "high"
    assert cli.run([*free, "label.background_under=0", "--out", str(low)]) == 0
    assert "tags from the class list (label.any_class)" in capsys.readouterr().out
    ids = class_ids()
    for record, mask in zip(records(low), masks(low), strict=True):
        assert {ids[tag] for tag in record["tags"]} == {*np.unique(mask)} - {0}
        assert record["shares"]["background"] == pytest.approx((mask == 0).mean(), abs=1e-6)
    tags = [record["tags"] for record in records(low)]
    assert any(tags)
    lines = (low / "manifest.jsonl").read_text()
    assert cli.run([*free, "label.background_under=0", "--resume", "--out", str(low)]) == 0
    assert (low / "manifest.jsonl").read_text() == lines
    page = (low / "report.html").read_text()
    assert "No tags were read" in page
    assert "weclip train" not in page
    assert cli.run([*free, "label.background_under=1", "--out", str(high)]) == 0
    assert not any(mask.any() for mask in masks(high))


def test_soft_maps_of_shares_give_the_masks(line, tmp_path):
    """As docs/exports.md shows; every class may be there, so nothing may be scaled by itself."""
    free = ["label.any_class=true", "label.background_under=0", "cam.source=text_probability"]
    alone = [each for each in line if not each.startswith("dino.")]
    plain = ["label.windows=false", "regions.vote=false", "--soft"]
    assert cli.run(["label", *alone, *free, *plain, "--out", str(tmp_path / "out")]) == 0
    for name, mask in zip(NAMES, masks(tmp_path / "out"), strict=True):
        with np.load(tmp_path / "out" / "soft" / f"{name}.npz") as soft:
            assert soft["shares"]
            maps, size = torch.tensor(soft["maps"])[None] / 255, tuple(soft["size"].tolist())
        maps = torch.nn.functional.interpolate(maps, size=size, mode="bilinear")[0]
        scores = torch.cat([1 - maps.sum(0, keepdim=True).clamp(max=1), maps])
        assert (scores.argmax(0).numpy() == mask).mean() > 0.95  # 8 bits of flat random maps


def test_the_image_as_a_whole_without_tags(line, tmp_path):
    """Region attention at once, with all classes as tags."""
    free = ["label.windows=false", "label.any_class=true", "label.background_under=0"]
    assert cli.run(["label", *line, *free, "--out", str(tmp_path / "out")]) == 0
    assert any(record["tags"] for record in records(tmp_path / "out"))
