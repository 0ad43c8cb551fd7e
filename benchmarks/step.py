"""Time of one training step by stage: ours and the published form, taking turns in one run.

python benchmarks/step.py                      # random ViT-B/16, batch 4, crop 320
python benchmarks/step.py --size demo          # the shipped tiny CLIP, as the demo trains it
python benchmarks/step.py --size plus          # WeCLIP+ on a random ViT-B/16 and a random ViT-S/14
python benchmarks/step.py --size afa           # AFA on a random MiT-B1, batch 4, crop 512
python benchmarks/step.py --against ../old/src # another version of the package in the same run

The published form is measured as it was released, and with freed memory kept, as ours runs. Its
float16 casts, which cost most on a processor, are no part of it. WeCLIP+ has no published form
here; AFA's is the literal one of `literal_afa.py`, at a step whose labels are spread. Each form is
a process of its own; times are medians, and "times" the median over turns. AFA's forms follow each
other, since they would not fit into memory together.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from full_size import demo_method, full_size_afa, full_size_method, random_batch
from measuring import device, matrix_peak, now, show, write
from published_form import PublishedForm, PublishedMaps
from weclip.config import Config
from weclip.system.memory import keep_freed_memory
from weclip.training.schedule import build_optimizer

try:
    from weclip.backbones.precision import store_frozen
except ImportError:  # an older version that is measured beside this one
    store_frozen = None

STAGES = {
    "maps.image_encoder": "encoder",
    "maps.guide": "second encoder",
    "trained": "decoder",
    "maps.make": "Grad-CAM",
    "maps.spread": "affinity",
    "make_label": "PAR and pseudo-label",
}


AFA_STAGES = {
    "trained": "network",
    "look": "maps at three scales",
    "make_labels": "labels and PAR",
}
AFA_STEP = 6001
"""Its first one whose labels are spread."""


class Stopwatch:
    """Sums the time spent, and the products' FLOP done, in functions that it wraps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.flop: dict[str, int] = defaultdict(int)
        self.counting = False

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, measured under `name`."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            if self.counting:
                with FlopCounterMode(display=False) as counter:
                    result = function(*args, **kwargs)
                self.flop[name] += counter.get_total_flops()
                return result
            start = now()
            result = function(*args, **kwargs)
            self.seconds[name] += now() - start
            return result

        return measured


class Step:
    """A training step, ready to be timed.

    Args:
        method: What to measure; it is changed.
        config: Its configuration.
        bf16: Whether under autocast.
        published: Whether the label stage takes the published form.
    """

    def __init__(self, method: Any, config: Config, *, bf16: bool, published: bool) -> None:
        self.method, self.bf16, self.watch = method.to(device()).train(), bf16, Stopwatch()
        if bf16 and store_frozen is not None and not published:
            store_frozen(method, "bf16")
        is_afa = config.method.name == "afa"
        self.step = AFA_STEP if is_afa else 0
        if published and is_afa:
            from literal_afa import make_literal  # an older version has no AFA

            make_literal(method)
        elif published:
            method.__class__, method.maps.__class__ = PublishedForm, PublishedMaps
            encode = method.image_encoder.forward
            method.image_encoder.forward = lambda image, maps=None: encode(image)
        for attribute, name in (AFA_STAGES if is_afa else STAGES).items():
            part = attrgetter(attribute)(method)
            if isinstance(part, torch.nn.Module):
                part.forward = self.watch.wrap(name, part.forward)
            elif part is not None:
                setattr(part.__self__, part.__name__, self.watch.wrap(name, part))
        optim = config.optim
        self.optimizer = build_optimizer(
            method.parameter_groups(),
            weight_decay=optim.weight_decay,
            betas=optim.betas,
            eps=optim.eps,
        )
        self.batch = random_batch(config).to(device())
        self.learn = self.watch.wrap("backward and optimiser", self._learn)

    def _learn(self, loss: torch.Tensor) -> None:
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def __call__(self) -> dict[str, float]:
        """Take it; the seconds of each stage and of the whole."""
        self.watch.seconds.clear()
        start = now()
        with torch.autocast(device(), torch.bfloat16, enabled=self.bf16):
            output = self.method.training_step(self.batch, step=self.step)
        self.learn(output.loss)
        whole = now() - start
        rest = whole - sum(self.watch.seconds.values())
        return {**self.watch.seconds, "losses and the rest": rest, "whole step": whole}

    def flop(self) -> dict[str, int]:
        """FLOP of the products of each stage and of the whole step."""
        self.watch.counting = True
        self()
        self.watch.counting = False
        return {**self.watch.flop, "whole step": sum(self.watch.flop.values())}


METHODS: dict[str, Callable[[], tuple[Any, Config]]] = {
    "full": full_size_method,
    "demo": demo_method,
    "plus": partial(full_size_method, "voc-plus"),
    "afa": full_size_afa,
}


FORMS = {"plus": 1, "afa": 2}
"""How many forms there are, where not all three."""


def serve(size: str, form: str, kind: str) -> None:
    """Print the FLOP of a form as JSON, then the figures of a step for each line that comes in."""
    if form != "published":
        keep_freed_memory()  # as the command line does
    torch.manual_seed(0)
    method, config = METHODS[size]()
    step = Step(method, config, bf16=kind == "bf16", published=form.startswith("published"))
    flop = step.flop()
    step()
    print(json.dumps(flop), flush=True)
    for _ in sys.stdin:
        seconds = step()
        memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([seconds, memory]), flush=True)


class Form:
    """A process that takes steps of one form when it is told to."""

    def __init__(self, size: str, form: str, kind: str, source: Path | None) -> None:
        command = [sys.executable, __file__, "--one", form, kind, "--size", size]
        variables = {**os.environ, **({"PYTHONPATH": str(source.resolve())} if source else {})}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables
        )
        self.flop: dict[str, int] = self._read()
        self.turns: list[dict[str, float]] = []
        self.memory = 0

    def _read(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def step(self) -> None:
        """Take one, and note its figures."""
        assert self.process.stdin is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        seconds, self.memory = self._read()
        self.turns.append(seconds)

    def median(self, stage: str) -> float:
        """Seconds of a stage."""
        return median(turn.get(stage, 0.0) for turn in self.turns)

    def times(self, other: "Form", stage: str) -> str:
        """How many times as long another form takes for a stage, median over the turns."""
        pairs = zip(self.turns, other.turns, strict=True)
        ratios = [theirs[stage] / ours[stage] for ours, theirs in pairs if theirs.get(stage)]
        return f"{median(ratios):.2f}" if ratios else "-"

    def end(self) -> None:
        """Stop it."""
        self.process.communicate()


def compare(size: str, kind: str, turns: int, against: Path | None) -> dict[str, Any]:
    """Measure the forms at "float32" or "bf16", and print a table."""
    names = ["ours", "published", "published, memory kept"][: FORMS.get(size, 3)]
    starts = {name: partial(Form, size, name, kind, None) for name in names}
    if against:
        starts["the other version"] = partial(Form, size, "ours", kind, against)
    peaks = [matrix_peak(torch.bfloat16 if kind == "bf16" else torch.float32)]
    forms = {}
    if size == "afa":  # two of its literal steps would not fit into memory together
        for name, start in starts.items():
            forms[name] = start()
            for _ in range(turns):
                forms[name].step()
            forms[name].end()
    else:
        forms = {name: start() for name, start in starts.items()}
        for _ in range(turns):
            peaks.append(matrix_peak(torch.bfloat16 if kind == "bf16" else torch.float32))
            for form in forms.values():
                form.step()
        for form in forms.values():
            form.end()
    ours, peak = forms.pop("ours"), median(peaks)
    rows = []
    for stage in ours.turns[0]:
        work, seconds = ours.flop.get(stage, 0), ours.median(stage)
        share = f"{100 * work / seconds / peak:.0f} %" if work else ""
        row = [stage, f"{work / 1e9:.0f}", f"{1000 * seconds:.0f}", share]
        for other in forms.values():
            row += [f"{1000 * other.median(stage):.0f}", ours.times(other, stage)]
        rows.append(row)
    columns = ["stage", "GFLOP", "ours, ms", "share of peak"]
    columns += [title for name in forms for title in (f"{name}, ms", "times")]
    memory = {"ours": ours.memory, **{name: form.memory for name, form in forms.items()}}
    peak_memory = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in memory.items())
    show(f"{size}, {kind}, {device()}; peak memory, GB: {peak_memory}", columns, rows)
    seconds = {"ours": ours.turns, **{name: form.turns for name, form in forms.items()}}
    return {"seconds": seconds, "flop": ours.flop, "peak_memory": memory, "matrix_peak": peak}


def main() -> None:
    """Parse, measure, print tables and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=tuple(METHODS), default="full")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--kinds", nargs="+", default=["float32", "bf16"])
    parser.add_argument("--against", type=Path, help="folder of another version of the package")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "KIND"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        serve(args.size, *args.one)
        return
    figures = {kind: compare(args.size, kind, args.turns, args.against) for kind in args.kinds}
    write(args.out, {"what": f"training step, {args.size}", **figures})


if __name__ == "__main__":
    main()
