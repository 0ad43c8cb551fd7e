import pytest
import torch
from torch import nn

from weclip.config import Config
from weclip.methods.method import ParameterGroup
from weclip.training.schedule import build_optimizer, learning_rate

OPTIM = Config().optim


def rate(step, steps=30_000):
    return learning_rate(
        step,
        peak=OPTIM.learning_rate,
        steps=steps,
        warmup_steps=OPTIM.warmup_steps,
        warmup_ratio=OPTIM.warmup_ratio,
        power=OPTIM.power,
    )


def test_published_schedule():
    """Warm-up as in section 8 of the paper's code, then a straight line that forgets it."""
    assert rate(0) == pytest.approx(2e-3 * 1e-6)
    assert rate(25) == pytest.approx(2e-3 * (1 - 0.5 * (1 - 1e-6)))
    assert rate(49) == pytest.approx(2e-3 * (1 - (1 - 49 / 50) * (1 - 1e-6)))
    assert rate(50) == pytest.approx(2e-3 * (1 - 50 / 30_000))
    assert rate(15_000) == pytest.approx(1e-3)
    assert rate(29_999) == pytest.approx(2e-3 / 30_000)
    assert rate(30_000) == rate(31_000) == 0


def test_rises_then_falls_and_is_never_negative():
    rates = [rate(step, steps=400) for step in range(401)]
    top = rates.index(max(rates))
    assert 49 <= top <= 50
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert min(rates) >= 0


@pytest.mark.parametrize("power", [0.0, 0.9, 2.0])
def test_power(power):
    value = learning_rate(3, peak=1.0, steps=4, warmup_steps=0, warmup_ratio=0.0, power=power)
    assert value == pytest.approx(0.25**power)


def test_no_warmup():
    assert learning_rate(0, peak=0.5, steps=4, warmup_steps=0, warmup_ratio=0, power=1) == 0.5


def test_rate_is_a_pure_function_of_the_step():
    """So a resumed run needs no state of a scheduler."""
    assert [rate(step) for step in (7, 3, 7)] == [rate(7), rate(3), rate(7)]


def test_groups_have_their_own_rate_and_decay():
    layer = nn.Linear(2, 2)
    groups = [
        ParameterGroup([layer.weight], rate_factor=10.0),
        ParameterGroup([layer.bias], weight_decay=False),
    ]
    optimizer = build_optimizer(groups, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8)
    made = optimizer.param_groups
    found = [(g["rate_factor"], g["weight_decay"], len(g["params"])) for g in made]
    assert found == [(10.0, 0.01, 1), (1.0, 0.0, 1)]


def test_optimizer_has_one_group_whose_rate_is_the_logged_one():
    """The released log shows a group that does not train; here there is only one."""
    layer = nn.Linear(2, 2)
    groups = [ParameterGroup(layer.parameters())]
    optimizer = build_optimizer(
        groups, weight_decay=OPTIM.weight_decay, betas=OPTIM.betas, eps=OPTIM.eps
    )
    assert len(optimizer.param_groups) == 1
    group = optimizer.param_groups[0]
    assert (group["lr"], group["betas"], group["eps"]) == (0.0, (0.9, 0.999), 1e-8)
    assert group["weight_decay"] == 0.01
    before = layer.weight.clone()
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()  # without a rate nothing moves
    assert torch.equal(before, layer.weight)
