"""One place decides where everything is computed."""

import pytest
import torch

from weclip.system import distributed
from weclip.system.distributed import connect, default_device, make_accelerator, on_device
from weclip.system.errors import InputError
from weclip.system.provenance import versions
from weclip.tasks.train.run import precision


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")
    monkeypatch.setattr("weclip.backbones.precision._why_not", lambda *_: None)  # it can do all


@pytest.mark.usefixtures("gpu")
def test_all_follow_the_chosen_device_and_forget_it_afterwards():
    assert default_device() == "cuda"
    assert versions()["device"] == "a GPU"
    with on_device("cpu"):
        assert default_device() == "cpu"
        assert connect().device.type == make_accelerator("float32").device.type == "cpu"
        assert versions()["device"].endswith("CPU")
        with pytest.raises(InputError, match="fp16 needs a CUDA GPU"):
            precision("fp16")
    assert default_device() == "cuda"
    assert precision("fp16") == "fp16"


def test_a_numbered_gpu_is_for_one_process(monkeypatch):
    class Place:
        num_processes = 2

    monkeypatch.setattr(distributed, "connect", Place)
    with (
        pytest.raises(InputError, match=r"cuda:1: each of several processes .* CUDA_VISIBLE"),
        on_device("cuda:1"),
    ):
        pytest.fail("it was chosen")
