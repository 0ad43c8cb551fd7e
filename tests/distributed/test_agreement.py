"""Processes of one run that were given different things end in one line."""

import pytest

from weclip.system import distributed
from weclip.system.errors import InputError


def test_a_difference_is_named_by_rank_and_key(monkeypatch):
    given = [{"train.steps": 4, "train.seed": 0}, {"train.steps": 4, "train.seed": 1}]
    monkeypatch.setattr(distributed, "everyones", lambda own: given)
    said = "process 1 has another configuration than process 0: train.seed is 1 there and 0 here"
    with pytest.raises(InputError, match=said):
        distributed.require_equal("configuration", given[0])


def test_a_missing_key_is_a_difference(monkeypatch):
    given = [{"a": 1}, {"a": 1}, {"a": 1, "plugins.my.py": "ab"}]
    monkeypatch.setattr(distributed, "everyones", lambda own: given)
    with pytest.raises(
        InputError, match=r"process 2 .*: plugins\.my\.py is ab there and None here"
    ):
        distributed.require_equal("configuration", given[0])


def test_one_process_agrees_with_itself():
    distributed.require_equal("configuration", {"a": 1})
