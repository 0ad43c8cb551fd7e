"""Training steps that replay what they can: the same losses, and never a wrong one."""

import pytest
import torch
from tests.fake_graphs import FakeRecorder, StaleRecorder, fake_graphs
from tests.methods.tiny_weclip import make_batch, tiny_weclip, tiny_weclip_plus
from tests.training.tiny_run import make_trainer
from tests.waits import watch_training

METHODS = {"weclip": tiny_weclip, "weclip_plus": tiny_weclip_plus}
TAGS = [((0, 2), (), (4,)), ((1,), (3,), (2,)), ((0, 1, 3), (4,), (2, 3)), ((), (), ())]
"""Batches of 2, 1, 3 and no tags."""


def batch_of(step):
    return make_batch(tags=TAGS[step % len(TAGS)] if step % 5 else TAGS[2], seed=step)


def replaying(make, kind=FakeRecorder, **settings):
    method = make()
    method.maps.graphs, recorders, warnings = fake_graphs(method.maps, kind, **settings)
    return method, recorders, warnings


def losses(folder, method, steps, *, start=0, of=batch_of):
    """Losses of training steps with an optimiser."""
    trainer = make_trainer(folder, steps=10**6, method=method)
    trainer.method.train()
    trainer.step, found = start, []
    for step in range(steps):
        output = trainer.train_step(of(step))
        found.append(torch.stack(list(output.terms.values())))  # before the graph's memory is used
        trainer.step += 1
    return torch.stack(found)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", [FakeRecorder, StaleRecorder])
def test_the_same_losses(name, kind, tmp_path):
    """Of an honest graph, and of one that repeats old numbers, which is found out."""
    right = losses(tmp_path, METHODS[name](), 18, start=10**6)
    method, recorders, warnings = replaying(METHODS[name], kind)
    found = losses(tmp_path, method, 18, start=10**6)
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-4)
    functions = {"CLIP", "labels"} | ({"guide"} if name == "weclip_plus" else set())
    if kind is StaleRecorder:
        assert set(method.maps.graphs.dropped) == functions
        assert len(warnings) == len(functions)
        return
    assert warnings == []
    counts = method.maps.graphs.counts()
    assert counts.keys() == functions
    assert counts["CLIP"] == 1
    assert counts["labels"] > 1
    assert max(recorder.replays for recorder in recorders) >= 18


@pytest.mark.parametrize("name", METHODS)
def test_the_refinement_module_and_a_limit(name, tmp_path):
    """Before the decoder takes part, and after; and where only one shape of each is replayed."""

    def make():
        method = METHODS[name]()
        object.__setattr__(method.settings, "refine_from", 3)
        return method

    right = losses(tmp_path, make(), 6)
    method, _, warnings = replaying(make, most=1)
    torch.testing.assert_close(losses(tmp_path, method, 6), right, rtol=1e-4, atol=1e-4)
    assert warnings == []
    assert set(method.maps.graphs.counts().values()) == {1}


@pytest.mark.parametrize("name", METHODS)
def test_replays_ask_the_device_for_nothing(name, tmp_path, monkeypatch):
    watch = watch_training("cpu", monkeypatch)
    method, (), _ = replaying(METHODS[name])
    tags = TAGS[2]
    trainer = make_trainer(tmp_path, steps=10**6, method=method)
    trainer.method.train()
    for seed in range(11):
        trainer.train_step(make_batch(tags=tags, seed=seed))
    batch = make_batch(tags=tags, seed=12)
    before = method.maps.graphs.counts()
    with watch.looking():
        trainer.train_step(batch)
    assert method.maps.graphs.counts() == before


def test_only_training_steps_replay():
    method, recorders, _ = replaying(tiny_weclip_plus)
    image = make_batch().image
    method.eval()(image)
    method.label_maps(image[:1].float(), (0, 2), size=(20, 30), step=0)
    assert recorders == []


@pytest.mark.parametrize("name", METHODS)
def test_without_graphs_nothing_is_padded(name):
    method = METHODS[name]()
    slots = method.training_step(make_batch(tags=TAGS[2]), 0).detail.slots
    assert (slots.index.shape[1], len(slots.image)) == (3, 6)
    method, _, _ = replaying(METHODS[name])
    slots = method.training_step(make_batch(tags=TAGS[2]), 0).detail.slots
    assert (slots.index.shape[1], len(slots.image)) == (4, 8)
