"""Every example of docs/data.md runs: its files on made images, then its commands."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.builders import write_annotation
from tests.end_to_end import worlds

from weclip.cli import app as cli

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
EXAMPLES = {title: text for title, text in SECTIONS.items() if "```bash" in text}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def files(text: str) -> dict[str, str]:
    """Name, in a line of its own before the block, and content."""
    found = re.findall(r"^`([^`\n]+)`\n\n```\w+\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return dict(found)


def write_listed(line: str, seed: int) -> None:
    """An image, or a mask of the listed ids or colours in stripes."""
    name, *pixels = line.replace(" pixels ", " ").split()
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    if not pixels:
        array = rng.integers(0, 256, (worlds.SIZE, worlds.SIZE, 3))
    else:
        values = [list(bytes.fromhex(p[1:])) if p[0] == "#" else int(p) for p in pixels]
        array = np.array(values)[np.arange(worlds.SIZE) * len(values) // worlds.SIZE]
        array = np.stack([array] * worlds.SIZE)
    Image.fromarray(array.astype(np.uint8)).save(path)


def write_published() -> None:
    """What the sections VOC and COCO take for granted."""
    voc = worlds.write_voc(Path("VOC2012"))
    for name, tags in worlds.scenes():
        write_annotation(voc / "Annotations" / f"{name}.xml", *tags)
    lists = voc / "ImageSets" / "Segmentation"
    (lists / "train_aug.txt").write_text((lists / "train.txt").read_text())
    worlds.write_coco(Path("MSCOCO"))


def test_every_situation_is_there():
    assert len(EXAMPLES) == 15
    assert len(PAGE.splitlines()) < 600


@pytest.mark.parametrize("title", EXAMPLES)
def test_example_runs(title: str, tmp_path: Path, clip_file: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = EXAMPLES[title]
    Path("ViT-B-16.pt").symlink_to(clip_file)
    listed = [line for block in blocks(text, "text") for line in block.splitlines()]
    for seed, line in enumerate(listed):
        write_listed(line, seed)
    for name, content in files(text).items():
        Path(name).write_text(content)
    if title in ("VOC", "COCO"):
        write_published()
    else:
        assert listed
    commands = "".join(blocks(text, "bash")).splitlines()
    assert commands
    for line in commands:
        arguments = shlex.split(line)[1:]
        small = [*worlds.SMALL, "train.steps=2"] if arguments[0] == "train" else []
        allowed = (0, 1) if arguments[0] == "check" else (0,)
        code = cli.run([*arguments, *small])
        shown = capsys.readouterr()
        assert code in allowed, shown.err
        assert "no scores" not in shown.out
        assert "images that the tags file does not name" not in shown.out
