"""Kill a training of the demo at random moments until it is done; compare with one left alone.

python benchmarks/kill.py [--kills 20] [--steps 60] [--seed 0] [--out FILE]

Every process is a `weclip train` command of its own, killed by SIGKILL. Needs `weclip[demo]`.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from measuring import show, write
from weclip.demo.world import write_world
from weclip.training.checkpoint import Checkpoint, latest_checkpoint, load_checkpoint


def start(root: Path, run: Path, steps: int) -> subprocess.Popen[bytes]:
    """Start or resume a run that scores and saves every few steps."""
    changes = [
        *(f"data.root={root / 'world'}", "data.workers=1", f"train.steps={steps}"),
        *("train.save_every=2", "train.eval_every=20", "eval.long_side=96"),
    ]
    command = ["train", "--config", "demo", "--out", str(run), *changes, "--resume"]
    return subprocess.Popen([sys.executable, "-m", "weclip", *command], stdout=subprocess.DEVNULL)


def last(run: Path) -> Checkpoint:
    """The last checkpoint of a run, after reading all of them."""
    for path in (run / "checkpoints").glob("*.ckpt"):
        load_checkpoint(path)
    checkpoint, damaged = latest_checkpoint(run / "checkpoints")
    if checkpoint is None or damaged:
        raise SystemExit(f"{run}: no whole checkpoint; {damaged}")
    return checkpoint


def difference(one: Checkpoint, other: Checkpoint) -> float:
    """The largest difference between two decoders."""
    return max((one.trained[name] - other.trained[name]).abs().max().item() for name in one.trained)


def main() -> None:
    """Parse, train, kill, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_world(root / "world", train_scenes=60, val_scenes=6, seed=0)
        began = time.monotonic()
        if start(root, root / "whole", arguments.steps).wait():
            raise SystemExit("the run left alone failed")
        alone = time.monotonic() - began
        whole, kills, finished, worst = last(root / "whole"), 0, 0, 0.0
        while kills < arguments.kills or not finished:
            run = root / f"run{finished}"
            process = start(root, run, arguments.steps)
            try:
                code = process.wait(moments.uniform(0, alone))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                if list((run / "checkpoints").glob("*.ckpt")):
                    last(run)
                continue
            if code:
                raise SystemExit(f"a resumed run failed with {code}")
            worst = max(worst, difference(whole, last(run)))
            finished += 1
    figures = {"kills": kills, "finished_runs": finished, "largest_difference": worst}
    show("killed and resumed", tuple(figures), [[str(value) for value in figures.values()]])
    write(arguments.out, {"steps": arguments.steps, "threads": torch.get_num_threads(), **figures})
    if worst:
        raise SystemExit("a resumed run differs from the one left alone")


if __name__ == "__main__":
    main()
