"""Memory, open files and processes of a long training, which must not grow.

python benchmarks/long_run.py [--steps 5000] [--out FILE]

Trains on the demo world, with worker processes, scores on the way and pictures, and reads once a
second what Linux says of the process. Needs `weclip[demo]`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from measuring import show, write
from weclip.demo.world import write_world
from weclip.training.runlog import LOG_NAME, read_log

WARM_UP = 0.2
"""Share of the steps after which nothing may grow."""

ROWS = 10


class Sample(NamedTuple):
    """What a process holds at a step; `memory` in MB, its workers' memory apart."""

    step: int
    memory: float
    files: int
    processes: int


def train(root: Path, steps: int) -> list[Sample]:
    """Train and look at the process until it ends."""
    write_world(root / "world", train_scenes=400, val_scenes=20, seed=0)
    changes = [
        *(f"data.root={root / 'world'}", "data.workers=1", f"train.steps={steps}"),
        *(f"train.eval_every={steps // 5}", f"train.save_every={steps // 20}"),
    ]
    command = ["train", "--config", "demo", "--out", str(root / "run"), *changes]
    with subprocess.Popen(
        [sys.executable, "-m", "weclip", *command], stdout=subprocess.DEVNULL
    ) as process:
        samples: list[Sample] = []
        while process.poll() is None:
            time.sleep(1)
            rows = read_log(root / "run" / LOG_NAME)
            if rows and (sample := look(process.pid, int(rows[-1]["step"]))):
                samples.append(sample)
    if process.returncode:
        raise SystemExit(process.returncode)
    return samples


def look(process: int, step: int) -> Sample | None:
    """What a process holds now; None if it has just ended."""
    folder = Path(f"/proc/{process}")
    try:
        lines = (folder / "status").read_text().splitlines()
        memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
        files = len(list((folder / "fd").iterdir()))
        children = (folder / "task" / str(process) / "children").read_text().split()
    except (OSError, StopIteration):
        return None
    return Sample(step, memory / 1000, files, len(children))


def growth(samples: list[Sample], steps: int) -> dict[str, float]:
    """Medians of the last fifth of the steps against the fifth after the warm-up, less 1."""
    early = [s for s in samples if WARM_UP <= s.step / steps < 2 * WARM_UP]
    late = [s for s in samples if s.step / steps >= 1 - WARM_UP]
    medians = {
        part: [median(getattr(s, part) for s in each) for each in (early, late)]
        for part in ("memory", "files")
    }
    return {part: after / before - 1 for part, (before, after) in medians.items()}


def main() -> None:
    """Parse, train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    steps = arguments.steps
    with tempfile.TemporaryDirectory() as folder:
        samples = train(Path(folder), steps)
    shown = [
        max((s for s in samples if s.step <= steps * row / ROWS), default=samples[0])
        for row in range(1, ROWS + 1)
    ]
    rows = [(str(s.step), f"{s.memory:.0f}", str(s.files), str(s.processes)) for s in shown]
    show("a long training", ("step", "resident MB", "open files", "workers"), rows)
    grown = growth(samples, steps)
    show("growth after the warm-up", tuple(grown), [[f"{100 * v:+.2f} %" for v in grown.values()]])
    write(arguments.out, {"steps": steps, "samples": [s._asdict() for s in shown], **grown})


if __name__ == "__main__":
    main()
