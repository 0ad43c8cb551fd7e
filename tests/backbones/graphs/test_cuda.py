"""What is asked of PyTorch's CUDA graphs, and in which order; on a GPU `test_gpu.py` does it."""

from contextlib import contextmanager

import pytest
import torch

from weclip.backbones.graphs.cuda import CudaRecorder


@pytest.fixture
def said(monkeypatch):
    """What a machine with a GPU would be told."""
    said = []

    class Stream:
        def __init__(self, name):
            self.name = str(name)

        def wait_stream(self, other):
            said.append(f"{self.name} waits for {other.name}")

    class Graph:
        def replay(self):
            said.append("replay")

    @contextmanager
    def told(what):
        said.append(what)
        yield
        said.append(f"end of {what}")

    def capture(graph, *, pool, stream, capture_error_mode):
        return told(f"capture in {pool} on {stream.name}, {capture_error_mode}")

    main = Stream("main")
    for name, stand_in in {
        "Stream": lambda device: Stream("side"),
        "current_stream": lambda: main,
        "stream": lambda stream: told(stream.name),
        "device": lambda device: told(str(device)),
        "graph_pool_handle": lambda: "pool",
        "CUDAGraph": Graph,
        "graph": capture,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return said


def test_a_side_stream_then_the_same_pool_for_all(said):
    recorder = CudaRecorder(torch.device("cuda:1"))
    with recorder.aside():
        said.append("work")
    assert said == [
        *("cuda:1", "side waits for main", "side", "work", "end of side"),
        *("main waits for side", "end of cuda:1"),
    ]
    for number in (1, 2):
        said.clear()
        output, replay = recorder.capture(lambda number=number: number)
        replay()
        captured = "capture in pool on side, thread_local"
        assert said == ["cuda:1", captured, f"end of {captured}", "end of cuda:1", "replay"]
        assert output == number
