"""On a GPU: the same labels, losses and gradients as on the CPU."""

import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_weclip

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
