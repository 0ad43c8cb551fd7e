"""Run command lines in each process of a launch, and write what each ended in to a file.

`{rank}` in an argument is the process's number, so that they can be given different things.
"""

import io
import json
import os
import sys
from contextlib import redirect_stderr
from pathlib import Path

from weclip.cli import app as cli


def main(folder: str, commands: list[list[str]]) -> None:
    """Write `folder/told-RANK.json`: exit code and last line of standard error, by command."""
    rank, told = os.environ["RANK"], []
    for arguments in commands:
        with redirect_stderr(io.StringIO()) as said:
            code = cli.run([each.replace("{rank}", rank) for each in arguments])
        told.append((code, said.getvalue().strip().rpartition("\n")[2]))
        print(rank, told[-1], file=sys.stderr, flush=True)
    Path(folder, f"told-{rank}.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
