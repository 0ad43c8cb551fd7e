"""A bank in the making: stopped, gone on with, shared."""

from pathlib import Path

import pytest
import torch

from weclip.config_file import load_config
from weclip.labels.banks.bank_file import read_bank, save_bank
from weclip.labels.banks.feature_bank import FeatureBank
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.system.locks import working_on
from weclip.tasks.banks import memory, parts
from weclip.tasks.banks.memory import MemoryOptions
from weclip.tasks.banks.parts import WorkParts, thinned

ITEMS = list(range(11))


@pytest.fixture(autouse=True)
def three_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts, "TOGETHER", 3)


def bank_of(item: int, rows: int | None = None) -> FeatureBank:
    """As many rows as the item says, of one image."""
    rows = item % 4 if rows is None else rows
    keys = torch.nn.functional.one_hot(torch.full((rows,), item % 5), 5).half()
    return FeatureBank(
        keys,
        torch.full((rows,), item, dtype=torch.uint8),
        torch.zeros(rows, dtype=torch.int32),
        [f"image {item}"],
        [bytes([item] * 16)],
        {},
        "test",
    )


def work(folder: Path, **recipe: str) -> WorkParts[int]:
    return WorkParts(folder, ITEMS, recipe)


def whole(folder: Path) -> FeatureBank:
    """A bank that was made at once."""
    made = work(folder)
    made.enter(joins=False)
    assert list(made.make(bank_of)) == ITEMS
    return made.joined()


def test_rows_come_in_the_order_of_the_images(tmp_path: Path):
    bank = whole(tmp_path / "whole")
    assert bank.names == [f"image {i}" for i in ITEMS]
    assert bank.values.tolist() == [i for i in ITEMS for _ in range(i % 4)]
    assert bank.image.tolist() == bank.values.tolist()


def same(one: FeatureBank, other: FeatureBank) -> bool:
    tensors = all(torch.equal(getattr(one, n), getattr(other, n)) for n in ("keys", "values"))
    return tensors and torch.equal(one.image, other.image) and one.digests == other.digests


def test_stopped_and_gone_on_with(tmp_path: Path):
    def stops(item: int) -> FeatureBank:
        if item == 7:
            raise KeyboardInterrupt
        return bank_of(item)

    made = work(tmp_path / "parts")
    made.enter(joins=True)
    with pytest.raises(KeyboardInterrupt):
        list(made.make(stops))
    again = work(tmp_path / "parts")
    again.enter(joins=True)
    assert again.missing() == [2, 3]
    assert list(again.make(bank_of)) == ITEMS[6:]
    assert same(again.joined(), whole(tmp_path / "whole"))
    again.remove()
    assert not (tmp_path / "parts").exists()


def test_shards_take_turns(tmp_path: Path):
    done = []
    for shard in ((2, 2), (1, 2)):
        made = work(tmp_path / "parts")
        made.enter(joins=True)
        done.append(list(made.make(bank_of, shard)))
    assert sorted(done[0] + done[1]) == ITEMS
    assert done[0] == [3, 4, 5, 9, 10]
    assert same(made.joined(), whole(tmp_path / "whole"))


def test_parts_of_another_bank_are_refused_or_thrown_away(tmp_path: Path):
    made = work(tmp_path, encoder="a")
    made.enter(joins=True)
    list(made.make(bank_of))
    other = work(tmp_path, encoder="b")
    with pytest.raises(InputError, match=r"made otherwise \(other encoder\); give the same"):
        other.enter(joins=True)
    other.enter(joins=False)
    assert other.missing() == [0, 1, 2, 3]


def test_a_large_bank_is_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr("weclip.tasks.banks.parts.warn", lambda _, text: said.append(text))
    bank = parts.joined([bank_of(item, rows=4) for item in ITEMS])
    assert same(thinned(bank, 44, None), bank)
    thin = thinned(bank, 22, None)
    assert torch.bincount(thin.image).tolist() == [2] * 11
    assert len(thinned(bank, 7, None)) == 7
    assert said[0] == (
        "22 of 44 rows are left out, evenly over all images, since memory.max_rows=22"
    )
    assert same(thin, thinned(bank, 22, None))


def joined_in(out: Path, made: WorkParts[int], *, shared: bool) -> FeatureBank | None:
    """As `memory.joined_in`, with the parts beside."""
    config = load_config("voc", ["data.root=none", "clip.weights=none"])
    return memory.joined_in(out, made, config, QUIET, shared=shared)


def test_shards_that_end_together_write_one_bank(tmp_path: Path):
    made, out = work(tmp_path / "bank.parts"), tmp_path / "bank.safetensors"
    made.enter(joins=False)
    assert joined_in(out, made, shared=True) is None  # parts are missing
    list(made.make(bank_of))
    with working_on(out, "memory"):
        assert joined_in(out, made, shared=True) is None
        with pytest.raises(InputError, match="works there now; wait for its end"):
            joined_in(out, made, shared=False)
    written = joined_in(out, made, shared=True)
    assert written is not None
    assert same(read_bank(out, most_rows=99, key=""), written)
    assert joined_in(out, made, shared=True) is None  # another has thrown the parts away


def test_a_bank_whose_parts_are_still_there_is_gone_on_with(tmp_path: Path):
    """As where it was killed between both; and only by who asks for it."""
    made, out = work(tmp_path / "bank.safetensors.parts"), tmp_path / "bank.safetensors"
    made.enter(joins=False)
    save_bank(out, bank_of(3))
    for how in (MemoryOptions(resume=True), MemoryOptions(shard="1/2")):
        memory.check_target(out, how)
    with pytest.raises(InputError, match="exists; choose another name or add --overwrite"):
        memory.check_target(out, MemoryOptions())
    made.remove()
    with pytest.raises(InputError, match="exists; choose another name or add --overwrite"):
        memory.check_target(out, MemoryOptions(resume=True))
