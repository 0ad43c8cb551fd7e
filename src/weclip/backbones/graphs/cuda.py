"""Recording by CUDA graphs.

Stage 2. As PyTorch's documentation of them asks: the work is done a few times on a side stream
first, so that everything is compiled, loaded and allocated; what is recorded on that stream reads
and writes fixed memory.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class CudaRecorder:
    """Records the work of one function, for several shapes, with a memory pool of its own.

    Graphs of one pool write over each other's results. So they have to be of one function that
    runs once a step: each function has a pool of its own.

    Args:
        device: A CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Work on the side stream, after all before it and before all that follows."""
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                yield
            torch.cuda.current_stream().wait_stream(self._stream)

    def capture(self, run: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """Record what `run` launches, without doing it.

        Other threads may go on meanwhile: that which pins batches asks the driver for memory.

        Returns:
            What `run` returned, whose tensors have numbers after the first replay; and the replay.
        """
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(self._device),
            torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ),
        ):
            output = run()
        return output, graph.replay
