"""A training step asks its device for nothing, so a GPU never waits for the host."""

from dataclasses import dataclass

import pytest
import torch
from tests.methods.tiny_afa import afa_config, tiny_afa
from tests.methods.tiny_weclip import (
    corrected,
    make_batch,
    plus_config,
    tiny_config,
    tiny_weclip,
    tiny_weclip_plus,
)
from tests.training.tiny_run import make_trainer
from tests.waits import WaitError, watch_training

SOURCES = ("gradcam", "patch_text")
AFFINITIES = ("attention", "class_distribution", "none")
LATE = 10**6
"""A step at which every stage of a method is on."""


def make(name, source="gradcam", affinity="attention", **quirks):
    config = tiny_config(**quirks) if name == "weclip" else plus_config(**quirks)
    config.cam.source, config.affinity.source = source, affinity
    return (tiny_weclip if name == "weclip" else tiny_weclip_plus)(config)


@pytest.fixture
def watch(monkeypatch):
    return watch_training("cpu", monkeypatch)


@pytest.fixture
def meta(monkeypatch):
    return watch_training("meta", monkeypatch)


def whole_steps(watch, method, folder):
    """Forward, labels, losses, backward and optimiser, after a first step, which may wait."""
    trainer = make_trainer(folder, steps=2 * LATE, method=method)
    trainer.method.train()
    trainer.step = LATE
    trainer.train_step(make_batch())
    before = [each.clone() for each in trainer.method.trained.parameters()]
    for seed in (1, 2):
        trainer.step += 1
        batch = make_batch(seed=seed)
        with watch.looking():
            trainer.train_step(batch)
    after = trainer.method.trained.parameters()
    assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["weclip", "weclip_plus"])
def test_a_step_asks_for_nothing(name, source, affinity, tmp_path, watch):
    whole_steps(watch, make(name, source, affinity), tmp_path)


@pytest.mark.parametrize("released", [False, True])
def test_nor_does_one_of_afa(released, tmp_path, watch):
    quirks = {"cam_runs_in_training_mode": released, "par_sees_padding": released}
    method = tiny_afa(afa_config(**quirks, cam_runs_feed_batchnorm=released))
    whole_steps(watch, method, tmp_path)


@pytest.mark.parametrize("name", ["weclip", "weclip_plus"])
def test_nor_does_one_as_released(name, tmp_path, watch):
    quirks = {"exclusive_box_edge": True, "signed_layer_distance": True}
    whole_steps(watch, make(name, **quirks, train_on_padding=True), tmp_path)


@pytest.mark.parametrize("name", ["weclip", "weclip_plus"])
def test_nor_does_one_in_bf16(name, tmp_path, watch):
    method = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        whole_steps(watch, method, tmp_path)


@pytest.mark.parametrize("method", [make("weclip"), make("weclip_plus"), tiny_afa(afa_config())])
def test_nor_does_one_with_corrected_masks(method, tmp_path, watch, monkeypatch):
    whole = make_batch
    monkeypatch.setattr(__name__ + ".make_batch", lambda **use: corrected(whole(**use)))
    whole_steps(watch, method, tmp_path)


@pytest.mark.parametrize("name", ["weclip", "weclip_plus"])
def test_corrected_masks_are_sent_with_the_image(name, meta):
    steps_on_meta(meta, make(name), corrected)


def steps_on_meta(watch, method, change=lambda batch: batch):
    method.training_step(change(make_batch()), LATE)  # WeCLIP+ looks at its affinity once
    method.to("meta").train()
    method.training_step(change(make_batch()).to("meta"), LATE)  # constants are sent
    batch = change(make_batch(seed=1)).to("meta")
    with watch.looking():
        method.training_step(batch, LATE).loss.backward()


@pytest.mark.parametrize(
    ("source", "affinity"), list(zip([*SOURCES, SOURCES[0]], AFFINITIES, strict=True))
)
@pytest.mark.parametrize("name", ["weclip", "weclip_plus"])
def test_a_step_copies_nothing_but_its_tags(name, source, affinity, meta):
    """On a device without values: whatever asks for one fails there by itself."""
    steps_on_meta(meta, make(name, source, affinity))


@dataclass(frozen=True)
class Spoilt:
    """A term of the loss that makes the host wait.

    Attributes:
        term: The term.
        wait: How, given logits.
    """

    term: object
    wait: object

    @property
    def weight(self):
        return self.term.weight

    def __call__(self, given, total):
        self.wait(given.logits)
        return self.term(given, total)


def masked(logits):
    x = logits.detach().clone()
    x[x > 0] = 0


ASKING = {
    "item": lambda x: x.sum().item(),
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "numpy": lambda x: x.detach().numpy(),
    "array": lambda x: __import__("numpy").asarray(x.detach()),
    "bool": lambda x: bool((x > 0).any()),
    "if": lambda x: 1 if x.sum() > 0 else 0,
    "int": lambda x: int(x.sum()),
    "float": lambda x: float(x.detach().sum()),
    "max": lambda x: max(x.sum(), x.mean()),
    "in": lambda x: 1.0 in x,
    "equal": lambda x: torch.equal(x, x),
    "allclose": lambda x: torch.allclose(x, x),
    "nonzero": lambda x: x.nonzero(),
    "where": lambda x: torch.where(x > 0),
    "masked_select": lambda x: x.masked_select(x > 0),
    "mask": lambda x: x[x > 0],
    "mask assigned": masked,
    "unique": lambda x: x.unique(),
    "repeat_interleave": lambda x: x.flatten().repeat_interleave(x.flatten().long().abs()),
    "in the backward pass": lambda x: x.register_hook(lambda g: g * g.sum().item()),
}

COPYING = {
    "tensor": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "to": lambda x: torch.zeros(3).to(x.device),
    "scalar": lambda x: x * torch.tensor(2.0),
    "copy_": lambda x: torch.empty(3, device=x.device).copy_(torch.zeros(3)),
}


def spoil(method, wait):
    name = next(iter(method.losses))
    method.losses = {**method.losses, name: Spoilt(method.losses[name], wait)}
    return method


@pytest.mark.parametrize("wait", ASKING)
def test_a_question_is_seen(wait, tmp_path, watch):
    with pytest.raises(WaitError):
        whole_steps(watch, spoil(make("weclip"), ASKING[wait]), tmp_path)


@pytest.mark.parametrize("wait", COPYING)
def test_a_copy_is_seen(wait, meta):
    with pytest.raises(WaitError):
        steps_on_meta(meta, spoil(make("weclip"), COPYING[wait]))


def test_the_optimiser_is_watched(tmp_path, watch):
    def asks(optimizer, args, kwargs):
        return bool(optimizer.param_groups[0]["params"][0].sum() > 0) and None

    method = make("weclip")
    trainer = make_trainer(tmp_path, method=method)
    trainer.optimizer.optimizer.register_step_pre_hook(asks)
    with pytest.raises(WaitError), watch.looking():
        trainer.train_step(make_batch())
