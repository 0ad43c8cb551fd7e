"""`weclip memory` that is killed anywhere and resumed leaves the bank of one that was not."""

import time

import pytest
from PIL import Image
from tests.end_to_end import worlds
from tests.survival.resumed import (
    finish,
    killed_at_random,
    killed_at_write,
    said,
    start,
    timed,
)

from weclip.labels.banks.bank_file import read_bank
from weclip.tasks.banks.memory import parts_folder
from weclip.tasks.banks.parts import MOST_ROWS, RECIPE, TOGETHER

pytest.importorskip("skimage", reason="needs the extra 'regions'")

IMAGES = 4 * TOGETHER + 1
BANK = "bank.safetensors"
WRITES = {"the recipe": 0, "a part": 3, "the bank": 6}
"""How many files are written before the one that is cut off: the recipe, five parts, the bank."""


@pytest.fixture(scope="module")
def line(clip_file, dino_file, tmp_path_factory):
    """The command line on images of five parts, without `--out`."""
    root = tmp_path_factory.mktemp("photos")
    for index in range(IMAGES):
        Image.fromarray(worlds.draw(("bird", "dog"), index)[0]).save(root / f"{index:02}.png")
    weights = [f"clip.weights={clip_file}", f"dino.weights={dino_file}"]
    return ["memory", str(root), *weights, "regions.superpixels.count=12"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, line):
    """The bytes of a bank that was left alone, and how long it took."""
    out, seconds = timed(line, tmp_path_factory.mktemp("whole"), BANK)
    bank = read_bank(out, most_rows=MOST_ROWS, key="")
    assert len(bank) > len(bank.names) == IMAGES
    assert not parts_folder(out).exists()
    return out.read_bytes(), seconds


def require_nothing_half_written(out, whole):
    """A bank with its name is whole, and so is a part."""
    assert not out.exists() or out.read_bytes() == whole
    for part in parts_folder(out).glob("part-*.safetensors"):
        assert 1 <= len(read_bank(part, most_rows=MOST_ROWS, key="").names) <= TOGETHER


def has_ended(out):
    """Whether a bank has its name, and its parts are gone."""
    return out.exists() and not (parts_folder(out) / RECIPE).exists()


@pytest.mark.long
def test_killed_at_random_moments(tmp_path, line, whole):
    reference, seconds = whole
    look, how = (lambda out: require_nothing_half_written(out, reference)), {"name": BANK}
    ends = killed_at_random(line, tmp_path, 12, seconds, look, **how, ended=has_ended)
    for out in ends:
        assert out.read_bytes() == reference


@pytest.mark.long
@pytest.mark.parametrize("what", WRITES)
def test_killed_while_it_writes(tmp_path, line, whole, what):
    out = tmp_path / BANK
    killed_at_write(line, out, WRITES[what])
    require_nothing_half_written(out, whole[0])
    finish(line, out)
    assert out.read_bytes() == whole[0]
    assert {path.name for path in tmp_path.iterdir()} == {BANK, "bank.txt", "bank.writes"}


@pytest.mark.long
def test_shards_at_once_one_of_them_killed(tmp_path, line, whole):
    """Those that end together do not get into each other's way, nor write the bank twice."""
    reference, seconds = whole
    out = tmp_path / BANK
    running = [start([*line, "--shard", f"{index}/3"], out) for index in (1, 2, 3)]
    time.sleep(seconds / 2)
    running.pop(1).kill()
    for process in running:
        process.join()
        assert process.exitcode == 0, said(out).read_text()
    require_nothing_half_written(out, reference)
    if not out.exists():  # it was killed in time
        finish(line, out)
    assert out.read_bytes() == reference
