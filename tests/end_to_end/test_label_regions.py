"""`weclip label` with what reads a guide, regions or a memory."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.labels.regions.vote import vote

torch = pytest.importorskip("torch")
pytest.importorskip("skimage", reason="needs the extra 'regions'")
NAMES = [name for name, _ in worlds.scenes() if name.startswith("train")]
CUT = "regions.superpixels.count=12"


@pytest.fixture(scope="module")
def data(voc_world: Path, clip_file: Path) -> list[str]:
    given = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    return ["--config", "voc", *given, f"clip.weights={clip_file}", CUT, "label.precision=float32"]


@pytest.fixture(scope="module")
def guided(data: list[str], dino_file: Path) -> list[str]:
    return [*data, f"dino.weights={dino_file}", "affinity.source=none"]


@pytest.fixture(scope="module")
def plain(data: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain") / "masks"
    assert cli.run(["label", *data, "--out", str(out)]) == 0
    return out


def masks(out: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(out / "masks" / f"{name}.png")) for name in NAMES]


def recipe(out: Path) -> dict:
    return json.loads((out / "label.json").read_text())


def test_regions_of_files_and_of_a_source_vote_alike(data, plain, tmp_path):
    cut, made, read = (tmp_path / name for name in ("cut", "made", "read"))
    assert cli.run(["regions", *data, "--out", str(cut)]) == 0
    assert cli.run(["label", *data, "regions.vote=true", "--out", str(made)]) == 0
    files = [f"regions.files={cut}", "regions.vote=true"]
    assert cli.run(["label", *data, *files, "--out", str(read)]) == 0
    for name, before, ours, theirs in zip(NAMES, *map(masks, (plain, made, read)), strict=True):
        ids = np.asarray(Image.open(cut / "maps" / f"{name}.png")).astype(np.int64)
        expected = vote(torch.from_numpy(before.copy()), torch.from_numpy(ids)).numpy()
        assert np.array_equal(ours, expected)
        assert np.array_equal(theirs, expected)
    assert any((a != b).any() for a, b in zip(masks(plain), masks(made), strict=True))
    assert recipe(made)["regions"]["saw_human_masks"] is False
    assert recipe(read)["regions"]["source"] == "superpixels"
    assert "regions" not in recipe(plain)


@pytest.mark.parametrize(
    "source",
    ["text_probability", "region_attention", "patch_text cam.embedding=region_attention"],
)
def test_a_memory_changes_masks_and_is_named(guided, source, tmp_path, capsys):
    line, bank = [*guided, *f"cam.source={source}".split()], tmp_path / "bank.safetensors"
    assert cli.run(["memory", *line, "--out", str(bank)]) == 0
    without, with_it = tmp_path / "without", tmp_path / "with"
    alone = [each for each in line if source != "text_probability" or "dino" not in each]
    assert cli.run(["label", *alone, "--soft", "--out", str(without)]) == 0
    given = [*line, f"label.memory={bank}", "--soft"]
    assert cli.run(["label", *given, "--out", str(with_it)]) == 0
    soft = [[(out / "soft" / f"{n}.npz").read_bytes() for n in NAMES] for out in (without, with_it)]
    assert soft[0] != soft[1]
    named = recipe(with_it)
    assert len(named["files"]["label.memory"]) == 64
    assert named["dino"]["sha256"]
    assert named["regions"]["source"] == "superpixels"
    assert named["memories"]["label.memory"]["saw_human_masks"] is False
    assert named["method"].endswith("none, embedding of region_attention") == (" " in source)
    capsys.readouterr()
    other = [*given, "memory.neighbours=1", "--resume", "--out", str(with_it)]
    assert cli.run(["label", *other]) == 2
    assert "memory.neighbours was 20, now 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["affinity.source=guide"], "a second encoder is read here"),
        (["cam.source=region_attention"], "a second encoder is read here"),
        (["dino.weights={dino}"], "CLIP alone is read here; leave it out"),
        (
            ["dino.weights={dino}", "label.memory=x"],
            "neither cam.source=gradcam nor affinity.source=attention reads a memory; add",
        ),
        (
            ["cam.embedding=region_attention", "affinity.source=class_distribution"],
            "a second encoder is read here",
        ),
        (
            ["dino.weights={dino}", "cam.source=patch_text", "cam.embedding=region_attention"],
            "cam.embedding=region_attention makes maps on the second encoder's patches of 7",
        ),
        (
            ["dino.weights={dino}", "cam.source=region_attention"],
            "on the second encoder's patches of 7 pixels, and affinity.source=attention spreads",
        ),
        (
            ["dino.weights={dino}", "cam.source=text_probability", "label.memory={none}"],
            "no such bank; give a file of weclip memory",
        ),
        (["regions.files={none}", "regions.vote=true"], "folder of regions (regions.files) not"),
    ],
)
def test_what_lacks_is_said_before_anything_is_written(
    data, dino_file, changes, said, tmp_path, capsys
):
    places = {"dino": dino_file, "none": tmp_path / "none"}
    given = [change.format(**places) for change in changes]
    assert cli.run(["label", *data, *given, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in " ".join(error.split())
    assert not (tmp_path / "out" / "masks").exists()


def test_regions_by_the_guide_in_bf16(guided, tmp_path):
    """The encoder is stored in it for maps, and cuts regions too."""
    line = [*guided, "regions.source=merged", "label.precision=bf16"]
    assert cli.run(["label", *line, "regions.vote=true", "--out", str(tmp_path / "out")]) == 0
    assert cli.run(["memory", *line, "--out", str(tmp_path / "bank.safetensors")]) == 0
