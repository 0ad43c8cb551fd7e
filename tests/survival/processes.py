"""Commands in processes that may be killed; each starts in a fraction of a second.

They are forked from a server that has imported everything and has run nothing.
"""

import runpy
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "weclip.tasks.train.run",
        "weclip.tasks.label.run",
        "weclip.review.web.server",
        "weclip.tasks.review.run",
        "torch._dynamo",
        "tests.survival.warm",  # found where pytest runs in the root; else it is only slower
    ]
)


def start(
    arguments: list[str],
    output: Path,
    kill_at_write: int | None = None,
    room: int | None = None,
    stream: str | None = None,
) -> ForkServerProcess:
    """Start `weclip ARGUMENTS`; its output goes to a file.

    Args:
        arguments: Command line.
        output: File for what it prints.
        kill_at_write: How many files are written whole before the process kills itself while it
            writes the next, half of which is on disk then.
        room: Bytes of address space that it may take beyond what it starts with; None: no limit.
        stream: Its standard output and error in place of `output`, as of a command of its own: a
            file, or `gone` for a pipe whose reader has left.
    """
    task = {
        "arguments": arguments,
        "output": str(output),
        "kill_at_write": kill_at_write,
        "room": room,
        "stream": stream,
    }
    named = {"init_globals": {"TASK": task}, "run_name": "__main__"}
    process = CONTEXT.Process(target=runpy.run_path, args=(str(CHILD),), kwargs=named)
    process.start()
    return process
