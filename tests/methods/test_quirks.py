"""Switches of the released code's mistakes: each follows `faithful`, and each changes its own."""

from dataclasses import asdict

import pytest
import torch
from tests.configs import new_config
from tests.methods.test_weclip import changed, run
from tests.methods.tiny_weclip import tiny_config, tiny_weclip

from weclip import parts

QUIRKS = tuple(asdict(new_config().quirks))
OF_NO_PART = ("imagenet_normalisation", "ragged_window", "positions_by_count")


def test_quirks_follow_faithful_unless_set_alone():
    for name in QUIRKS:
        assert not new_config().quirk(name)
        assert new_config(faithful=True).quirk(name)
        alone, fixed = new_config(), new_config(faithful=True)
        setattr(alone.quirks, name, True)
        setattr(fixed.quirks, name, False)
        assert [n for n in QUIRKS if alone.quirk(n)] == [name]
        assert [n for n in QUIRKS if not fixed.quirk(n)] == [name]


def switches(config):
    """Every quirk of every part that there is, as the configuration sets it."""
    kinds = {kind.name: kind for kind in parts.KINDS}
    return {
        (name, quirk): value
        for kind, name in config.KNOWN
        for quirk, value in asdict(config.part(kinds[kind], name)).items()
        if quirk in QUIRKS
    }


@pytest.mark.parametrize("name", QUIRKS)
def test_a_quirk_changes_its_own_setting_only(name):
    plain, quirky = tiny_config(), tiny_config(**{name: True})
    before, after = switches(plain), switches(quirky)
    moved = {quirk for (part, quirk) in before if before[part, quirk] != after[part, quirk]}
    assert moved == (set() if name in OF_NO_PART else {name})
    one, other = tiny_weclip(plain).maps, tiny_weclip(quirky).maps
    same = all(torch.equal(getattr(one, n), getattr(other, n)) for n in ("mean", "std"))
    assert same == (name != "imagenet_normalisation")


def test_faithful_is_all_quirks_together():
    assert all(switches(new_config(faithful=True)).values())
    assert not any(switches(new_config()).values())
    config = tiny_config()
    config.faithful = True
    assert not changed(run(config), run(tiny_config(**dict.fromkeys(QUIRKS, True))))
