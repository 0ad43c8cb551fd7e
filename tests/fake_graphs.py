"""Stand-ins for CUDA graphs on a CPU."""

from contextlib import contextmanager

from weclip.backbones.graphs.replayed import Graphs
from weclip.backbones.graphs.trees import tensors_of


class FakeRecorder:
    """Replays by running the function again on its own inputs, and writing to its outputs."""

    def __init__(self):
        self.asides = self.captures = self.replays = 0

    @contextmanager
    def aside(self):
        self.asides += 1
        yield

    def capture(self, run):
        self.captures += 1
        output = self.recorded(run)
        own = tensors_of(output)

        def replay():
            self.replays += 1
            for ours, new in zip(own, tensors_of(run()), strict=True):
                if ours.data_ptr() != new.data_ptr():  # a constant of the function's
                    ours.copy_(new)

        return output, replay

    def recorded(self, run):
        return run()


class StaleRecorder(FakeRecorder):
    """Its replays do nothing: numbers stay those of the batch that was recorded."""

    def capture(self, run):
        output, _ = super().capture(run)
        return output, lambda: None


class FailingRecorder(FakeRecorder):
    """The driver refuses to record."""

    def recorded(self, run):
        raise RuntimeError("operation not permitted\nwhen stream is capturing")


def fake_graphs(reads, kind=FakeRecorder, **settings):
    """Graphs of a kind of recorder; with lists of their recorders and their warnings."""
    recorders, warnings = [], []

    def recorder():
        recorders.append(kind())
        return recorders[-1]

    graphs = Graphs(reads, recorder=recorder, warn=warnings.append, **settings)
    return graphs, recorders, warnings
