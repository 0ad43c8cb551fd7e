"""Start weclip in several processes, as users do."""

import json
import os
import subprocess
import sys
from pathlib import Path

DRIVER = Path(__file__).with_name("commands_in_turn.py")


def start(processes: int, *commands: list[str]) -> subprocess.Popen[str]:
    """Start `torchrun` with a number of processes that each run the commands in turn."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [sys.executable, *launcher, str(DRIVER), json.dumps(commands)],
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
