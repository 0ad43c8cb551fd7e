"""What ends a training from outside, in one line with what of it is saved.

Stage 5.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from weclip.system.errors import InputError, RunError
from weclip.system.failures import failure


@contextmanager
def explained_failures(state: Callable[[], tuple[int, str]]) -> Iterator[None]:
    """Turn what the system does to a run into a `RunError`; what is our bug stays as it is.

    Args:
        state: The training step under way, and what is on disk, for the line.
    """
    try:
        yield
    except (InputError, RunError):
        raise
    except (RuntimeError, OSError, MemoryError) as error:
        reason = failure(error, "train", "the run folder")
        if reason is None:
            raise
        step, kept = state()
        raise RunError(f"step {step}: {reason}; {kept}") from error
