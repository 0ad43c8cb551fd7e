"""A step that failed, kept small enough to be sent to somebody: it can be run again.

Stage 5. The batch and what dropout draws are functions of seed and step, so the trained weights
and the configuration are all that the step needs beside the data and the CLIP.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from weclip.system.errors import InputError
from weclip.training.checkpoint import parse_record, write_checked

REPLAY_NAME = "replay.ckpt"
NO_REPLAY = f"not a replay file; give the {REPLAY_NAME} of a run that stopped at NaN"


@dataclass(frozen=True)
class Replay:
    """A step that failed.

    Attributes:
        step: The step.
        names: Images of its batch, of all processes.
        trained: State dict of what the method trains before it.
        config: Resolved configuration as YAML.
        inputs: Digests of what the run read.
    """

    step: int
    names: list[str]
    trained: dict[str, Tensor]
    config: str
    inputs: dict[str, str]


def save_replay(path: Path, replay: Replay) -> None:
    """Write the file; it appears whole or not at all."""
    write_checked(path, vars(replay))


def load_replay(path: Path) -> Replay:
    """Read the file.

    Raises:
        InputError: No such file, or not a replay file of ours. No code in it is executed.
    """
    if path.is_dir():
        there = path / REPLAY_NAME
        hint = f"give {there}" if there.is_file() else f"there is no {REPLAY_NAME} in it"
        raise InputError(f"{path}: a folder; {hint}, which a run that stopped at NaN leaves")
    return parse_record(path, Replay, NO_REPLAY)
