"""Start weclip in several processes, as users do."""

import json
import os
import subprocess
import sys
from pathlib import Path

DRIVER = Path(__file__).with_name("commands_in_turn.py")
TOLD = Path(__file__).with_name("told.py")


def start(processes: int, *commands: list[str]) -> subprocess.Popen[str]:
    """Start `torchrun` with a number of processes that each run the commands in turn."""
    return _start(processes, str(DRIVER), json.dumps(commands))


def _start(processes: int, *driver: str) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [sys.executable, *launcher, *driver],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def run(processes: int, *commands: list[str]) -> str:
    """Run the commands to their end, which must be a good one; what they printed."""
    started = start(processes, *commands)
    output, _ = started.communicate(timeout=120)
    assert started.returncode == 0, output
    return output


def told(processes: int, folder: Path, commands: list[list[str]]) -> list[list[tuple[int, str]]]:
    """Exit code and last line of each command, in each process; `{rank}` is its number."""
    started = _start(processes, str(TOLD), str(folder), json.dumps(commands))
    output, _ = started.communicate(timeout=300)
    assert started.returncode == 0, output
    files = [folder / f"told-{rank}.json" for rank in range(processes)]
    return [[(code, line) for code, line in json.loads(file.read_text())] for file in files]
