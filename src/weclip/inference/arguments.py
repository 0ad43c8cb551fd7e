"""What Python callers give: of the wrong type it is an `InputError` of one short line.

Stage 6. The command line has its own parser; these are for `weclip.load` and what it returns.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path

from weclip.system.errors import InputError
from weclip.system.failures import missing_package
from weclip.system.files import at_home

LONGEST = 300
"""Letters of a message; whoever gave something endless need not read it again."""
END = 100
"""Letters of its end that are kept, since there is told what to do."""


@contextmanager
def short_errors(most: int = LONGEST) -> Iterator[None]:
    """Cut messages in the middle, and say what the system refuses as an `InputError`."""
    try:
        yield
    except InputError as error:
        raise InputError(_shortened(str(error), most)) from error.__cause__
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from None
    except OSError as error:  # such as a name that is too long
        if error.filename is None:
            raise
        raise InputError(_shortened(f"{error.filename}: {error.strerror}", most)) from None


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - END - 5]} ... {text[-END:]}"


def path_of(value: object, name: str) -> Path:
    """A path that was given as text or as a path; a leading `~` is this user's home.

    Raises:
        InputError: It is something else, or an empty text.
    """
    text = fspath(value) if isinstance(value, PathLike) else value
    if not isinstance(text, str):
        raise InputError(f"{name} is {kind_of(value)}; give a path: a text or a pathlib.Path")
    if not text:
        raise InputError(f"{name} is an empty text; give a path")
    return Path(at_home(text))


def require_list(value: object, name: str, kinds: tuple[type, ...]) -> None:
    """InputError unless an argument is a list, or the like, of things of these types."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InputError(f"{name} is {kind_of(value)}; give a list, such as {name}=[...]")
    for each in value:
        if not isinstance(each, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise InputError(f"one of {name} is {kind_of(each)}; give {wanted} only")


def kind_of(value: object) -> str:
    """What a value is, in words that never grow long.

    >>> kind_of(None), kind_of([1]), kind_of("a")
    ('None', 'of type list', 'of type str')
    """
    return "None" if value is None else f"of type {type(value).__name__[:60]}"
