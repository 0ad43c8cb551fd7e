"""On a GPU: the same labels, losses and gradients as on the CPU, and no wait."""

from functools import partial

import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_weclip, tiny_weclip_plus
from tests.training.tiny_run import make_trainer

from weclip.backbones.graphs.cuda import CudaRecorder
from weclip.backbones.graphs.replayed import Graphs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def full_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def test_training_step_equals_the_cpu():
    steps = {}
    for device in ("cpu", "cuda"):
        method = tiny_weclip(dropout=0.0).to(device)
        output = method.training_step(make_batch().to(device), step=0)
        output.loss.backward()
        steps[device] = (output, method)
    (cpu, on_cpu), (gpu, on_gpu) = steps["cpu"], steps["cuda"]
    torch.testing.assert_close(gpu.cam.cpu(), cpu.cam, rtol=1e-4, atol=1e-4)
    assert (gpu.target.cpu() == cpu.target).float().mean() >= 0.999
    torch.testing.assert_close(gpu.loss.cpu(), cpu.loss, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(on_gpu.parameters(), on_cpu.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad.cpu(), theirs.grad, rtol=1e-3, atol=1e-4)


def test_bf16_agrees_on_most_labels():
    labels = []
    for enabled in (False, True):
        method = tiny_weclip(dropout=0.0).to("cuda")
        with torch.autocast("cuda", torch.bfloat16, enabled=enabled):
            labels.append(method.training_step(make_batch().to("cuda"), step=0).target)
    assert (labels[0] == labels[1]).float().mean() >= 0.95


@pytest.mark.parametrize("make", [tiny_weclip, tiny_weclip_plus])
def test_a_training_step_never_waits(make, tmp_path):
    """By PyTorch's own look-out; on machines without a GPU `test_no_waits.py` does it."""
    trainer = make_trainer(tmp_path, steps=10**6, method=make())
    trainer.method.train()
    batches = [make_batch(seed=seed).pin_memory() for seed in range(3)]
    trainer.train_step(batches[0].to("cuda"))
    trainer.read(but=1)
    try:
        torch.cuda.set_sync_debug_mode("error")
        for batch in batches[1:]:
            trainer.train_step(batch.to("cuda"))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("make", [tiny_weclip, tiny_weclip_plus])
def test_replayed_steps_equal_launched_ones(make, precision, tmp_path):
    """Losses of 24 steps with an optimiser; every graph is recorded, agrees and is trusted."""
    losses, warnings = [], []
    for replays in (False, True):
        trainer = make_trainer(tmp_path, steps=10**6, method=make())
        trainer.method.train()
        maps = trainer.method.maps
        if replays:
            recorder = partial(CudaRecorder, maps.mean.device)
            maps.graphs = Graphs(maps, recorder=recorder, warn=warnings.append)
        for seed in range(24):
            tags = ((0, 2), (1,), (4,)) if seed % 2 else ((0, 1, 3), (4,), (2,))
            batch = make_batch(tags=tags, seed=seed).pin_memory().to("cuda")
            with torch.autocast("cuda", precision, enabled=precision != torch.float32):
                output = trainer.train_step(batch)
            losses.append(output.terms["loss"].item())
            trainer.step += 1
    assert warnings == []
    counts = maps.graphs.counts()
    assert counts.pop("labels") == 2
    assert set(counts.values()) == {1}
    tolerance = 1e-3 if precision == torch.float32 else 2e-2
    torch.testing.assert_close(losses[:24], losses[24:], rtol=tolerance, atol=tolerance)
