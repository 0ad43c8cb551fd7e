"""Banks, their files, and what a memory leaves out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from weclip.backbones.guide import Guide
from weclip.backbones.named import FrozenBackbone
from weclip.labels.banks.bank_file import FORMAT, HEADER, read_bank, save_bank
from weclip.labels.banks.feature_bank import FeatureBank, digest_of, joined
from weclip.labels.banks.memory import Memory, require_made_alike
from weclip.system.errors import InputError

DINO = FrozenBackbone("tiny", "a" * 64, "gelu")


def a_bank(rows: int = 6, *, classes: bool = False, seed: int = 0) -> FeatureBank:
    """Rows of three images, two each."""
    generator = torch.Generator().manual_seed(seed)
    keys, values = (F.normalize(torch.randn(rows, j, generator=generator)) for j in (8, 4))
    ids = torch.arange(rows, dtype=torch.uint8) % 3
    image = torch.arange(rows, dtype=torch.int32) // 2
    names = [f"{seed}/image-{i}" for i in range(rows // 2)]
    digests = [bytes([i + 10 * seed] * 16) for i in range(rows // 2)]
    return FeatureBank(
        keys,
        ids if classes else values,
        image,
        names,
        digests,
        {"dino": DINO},
        "keys and values",
        {"source": "sam2", "saw_human_masks": True, "guide": {"name": "tiny"}},
    )


def test_a_bank_goes_to_a_device_whole():
    moved = a_bank().to("meta")
    assert {each.device.type for each in (moved.keys, moved.values, moved.image)} == {"meta"}
    assert moved.names == a_bank().names


@pytest.mark.parametrize("classes", [True, False])
def test_a_file_gives_back_what_was_saved(tmp_path: Path, classes: bool):
    bank, path = a_bank(classes=classes), tmp_path / "bank.safetensors"
    save_bank(path, bank)
    found = read_bank(path, most_rows=6, key="memory.max_rows")
    assert torch.equal(found.keys, bank.keys.half())
    assert torch.equal(found.values, bank.values if classes else bank.values.half())
    assert torch.equal(found.image, bank.image)
    assert (found.names, found.digests) == (bank.names, bank.digests)
    assert (found.encoders, found.made) == (bank.encoders, bank.made)
    assert found.regions == bank.regions
    assert {t.dtype for t in load_file(path).values()} <= {
        torch.float16,
        torch.uint8,
        torch.int32,
    }


def test_a_file_is_the_same_every_time(tmp_path: Path):
    for name in ("one", "other"):
        save_bank(tmp_path / name, a_bank())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_too_many_rows(tmp_path: Path):
    save_bank(tmp_path / "bank.safetensors", a_bank())
    with pytest.raises(InputError, match=r"bank.safetensors: 6 rows, and memory.max_rows=5 are"):
        read_bank(tmp_path / "bank.safetensors", most_rows=5, key="memory.max_rows")


def test_no_bank(tmp_path: Path):
    with pytest.raises(InputError, match="no such bank; give a file of weclip memory"):
        read_bank(tmp_path / "none", most_rows=5, key="")
    (tmp_path / "text").write_text("something else")
    with pytest.raises(InputError, match="text: not a safetensors file"):
        read_bank(tmp_path / "text", most_rows=5, key="")
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(InputError, match=r"other: not a bank \(its format is None"):
        read_bank(tmp_path / "other", most_rows=5, key="")


def _of(name: str, value: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: value}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (_of("keys", torch.ones(6, 8).half()), "lengths of keys"),
        (_of("keys", F.normalize(torch.ones(6, 8))), "keys"),
        (_of("values", torch.zeros(5, 4).half()), "values"),
        (_of("values", torch.full((6, 4), torch.nan).half()), "numbers of values"),
        (_of("image", torch.full((6,), 3, dtype=torch.int32)), "images of rows"),
        (_of("digests", torch.zeros(47, dtype=torch.uint8)), "digests"),
        (_of("names", torch.tensor([27, 91], dtype=torch.uint8)), "printable"),
    ],
)
def test_a_damaged_file(tmp_path: Path, changed: dict[str, torch.Tensor], what: str):
    path = tmp_path / "bank.safetensors"
    save_bank(path, a_bank())
    metadata = {HEADER: json.dumps({"format": FORMAT, "encoders": {}, "made": ""})}
    save_file(load_file(path) | changed, path, metadata)
    with pytest.raises(InputError, match=rf"damaged bank \(.*{what}.*\); make it again"):
        read_bank(path, most_rows=6, key="")


def test_banks_are_joined():
    one, other = a_bank(), a_bank(seed=1)
    both = joined([one, other])
    assert both.image.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [both.names[i] for i in both.image[::2]] == [*one.names, *other.names]
    assert torch.equal(both.keys[6:], other.keys)
    assert both.rows_of(other.digests[1]).nonzero()[:, 0].tolist() == [8, 9]


def test_an_image_is_known_by_its_pixels():
    image = np.zeros((4, 6, 3), np.uint8)
    assert digest_of(image) == digest_of(image.copy())
    assert len({digest_of(image), digest_of(image.reshape(6, 4, 3)), digest_of(image + 1)}) == 3


def test_own_rows_are_left_out():
    bank = a_bank()
    assert bank.nearest(bank.keys, 1)[0][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    rows, _ = bank.nearest(bank.keys[2:4], 9, but=bank.digests[1])
    assert rows.sort(dim=1).values.tolist() == [[0, 1, 4, 5]] * 2
    assert bank.nearest(bank.keys, 9, but=b"unknown")[0].shape == (6, 6)


def guide(grid: tuple[int, int] = (3, 4)) -> Guide:
    rows = torch.randn(1, grid[0] * grid[1], 8, generator=torch.Generator().manual_seed(5))
    return Guide(rows, grid)


def test_a_bank_of_the_image_alone_gives_nothing():
    bank = replace(a_bank(2), digests=[b"own"], names=["own"])
    embedding, ids = torch.randn(4, 4), torch.ones(6, 8, dtype=torch.int64)
    memory = Memory(bank, 20, 0.5)
    found = memory.remember(embedding, (2, 2), guide(), ids, but=b"own")
    torch.testing.assert_close(found, F.normalize(embedding, dim=1))
    assert not torch.allclose(memory.remember(embedding, (2, 2), guide(), ids), found)


def test_regions_take_their_own_neighbours():
    ids = torch.zeros(6, 8, dtype=torch.int64)
    ids[:, 4:] = 7
    embedding, memory = torch.zeros(2, 4), Memory(a_bank(), 1, 0.0)
    found = memory.remember(embedding, (1, 2), guide(), ids)
    values = memory.bank.values
    where = [(row - values).norm(dim=1).argmin().item() for row in found]
    assert (found.norm(dim=1) - 1).abs().max() < 1e-5
    torch.testing.assert_close(found, values[where])
    assert where[0] != where[1]


@pytest.mark.parametrize(
    ("here", "made", "match"),
    [
        ({"clip": DINO}, "keys and values", "made without clip"),
        (
            {"dino": DINO._replace(sha256="b" * 64)},
            "keys and values",
            "SHA-256 aaaaaaaaaaaa",
        ),
        ({"dino": DINO._replace(computes="relu")}, "keys and values", r"as \(gelu\), but here"),
        ({"dino": DINO}, "other values", "made of 'keys and values', but here is 'other values'"),
    ],
)
def test_another_bank_is_refused(here: dict[str, FrozenBackbone], made: str, match: str):
    with pytest.raises(InputError, match=f"label.memory=x: .*{match}"):
        require_made_alike(a_bank(), here, made, "label.memory=x")
    require_made_alike(a_bank(), {"dino": DINO}, "keys and values", "label.memory=x")
