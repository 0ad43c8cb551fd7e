"""Switches of the released code's mistakes: each follows `faithful`, and each changes its own."""

from dataclasses import asdict

import pytest
import torch
from tests.configs import new_config
from tests.methods.test_weclip import changed, run
from tests.methods.tiny_weclip import tiny_config, tiny_weclip

from weclip import parts

QUIRKS = tuple(asdict(new_config().quirks))


def test_quirks_follow_faithful_unless_set_alone():
    for name in QUIRKS:
        assert not new_config().quirk(name)
        assert new_config(faithful=True).quirk(name)
        alone, fixed = new_config(), new_config(faithful=True)
        setattr(alone.quirks, name, True)
        setattr(fixed.quirks, name, False)
        assert [n for n in QUIRKS if alone.quirk(n)] == [name]
        assert [n for n in QUIRKS if not fixed.quirk(n)] == [name]


@pytest.mark.parametrize("name", QUIRKS)
def test_a_quirk_changes_its_own_setting_only(name):
    plain, quirky = tiny_weclip(tiny_config()), tiny_weclip(tiny_config(**{name: True}))
    before, after = (
        asdict(m.settings) | asdict(m.maps.affinity) | asdict(m.maps.source)
        for m in (plain, quirky)
    )
    expected = set() if name == "imagenet_normalisation" else {name}
    assert {key for key in before if before[key] != after[key]} == expected
    same = all(
        torch.equal(getattr(plain.maps, n), getattr(quirky.maps, n)) for n in ("mean", "std")
    )
    assert same == (name != "imagenet_normalisation")


def test_faithful_is_all_quirks_together():
    def constants(config):
        chosen = ((parts.METHOD, "weclip"), (parts.AFFINITY, "attention"))
        return {k: v for each in chosen for k, v in asdict(config.part(*each)).items()}

    settings = constants(new_config(faithful=True))
    assert all(settings[name] for name in QUIRKS if name in settings)
    default = constants(new_config())
    assert not any(default[name] for name in QUIRKS if name in default)
    config = tiny_config()
    config.faithful = True
    assert not changed(run(config), run(tiny_config(**dict.fromkeys(QUIRKS, True))))
