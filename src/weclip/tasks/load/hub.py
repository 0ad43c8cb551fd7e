"""Bundles on the Hugging Face hub: `hf:owner/name` or `hf:owner/name@revision`, fetched once.

`huggingface_hub` keeps its cache, and without a network gives what lies there. To predict, only the
manifest and the weights that it names are fetched; nothing in them is executed.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from weclip.exports.models.bundle import read_manifest, require_same_file
from weclip.prepare.weights.hub import REPOSITORY, Repository
from weclip.system.console import screen
from weclip.system.errors import FULL, InputError, WriteError
from weclip.system.files import RUN_MARKER
from weclip.system.untrusted.text import one_line
from weclip.tasks.load.opening import HUB

WEIGHTS = ".safetensors"
OF_A_DISK = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)
"""Numbers of the system's errors that no network gives."""


def from_hub(given: Path, *, whole: bool = False) -> Path:
    """The folder of a bundle that `hf:...` names, in the cache; other paths as they are.

    Args:
        given: A name, or a path.
        whole: Whether card and licences are fetched too, beside the weights.

    Raises:
        InputError: It is no such name, cannot be fetched, is no bundle, or is damaged.
    """
    text = given.as_posix()  # on Windows a path has other slashes
    if not text.startswith(HUB):
        return given
    repository = parse_repository(text.removeprefix(HUB), text)
    with hub_errors(text), quiet_bars():
        manifest = fetch(repository, RUN_MARKER)
        commit = Repository(repository.name, manifest.parent.name)
        listed = read_manifest(manifest, text).files
        for name in listed:
            if whole or name.endswith(WEIGHTS):
                _fetch_listed(commit, name, text)
    _require_whole(manifest.parent, [n for n in listed if n.endswith(WEIGHTS)], text)
    return manifest.parent


def _fetch_listed(commit: Repository, name: str, shown: str) -> None:
    """Fetch a file that a manifest lists; InputError if the repository has lost it."""
    try:
        fetch(commit, name)
    except RemoteEntryNotFoundError:
        raise InputError(
            f"{shown}: its {name} is missing there, though its {RUN_MARKER} lists it; push the "
            "bundle again"
        ) from None


def fetch(repository: Repository, name: str) -> Path:
    """A file in the cache, fetched if it is not there; its folder has the commit's name."""
    revision = repository.revision
    return Path(hf_hub_download(repository.name, name, revision=revision, library_name="weclip"))


def parse_repository(text: str, shown: str) -> Repository:
    """`owner/name`, perhaps with `@revision`.

    Raises:
        InputError: It is something else; `shown` is what was given.
    """
    found = REPOSITORY.fullmatch(text)
    if found is None:
        raise InputError(
            f"{shown}: no repository of the hub; write OWNER/NAME or OWNER/NAME@REVISION"
        )
    return Repository(found["name"], found["revision"])


def _require_whole(folder: Path, names: Sequence[str], shown: str) -> None:
    """InputError if files are damaged; these go, so that the next call fetches them again."""
    manifest, errors = read_manifest(folder / RUN_MARKER, shown), []
    for name in names:
        try:
            require_same_file(folder, name, manifest, shown)
        except InputError as error:
            (folder / name).resolve().unlink(missing_ok=True)  # in the cache it is a link
            errors.append(error)
    if errors:
        raise errors[0]


@contextmanager
def hub_errors(shown: str) -> Iterator[None]:
    """Say what the hub refuses in one line; `shown` is what was asked for.

    Raises:
        InputError: The hub refuses, or cannot be reached.
        WriteError: This machine's disk refuses.
    """
    try:
        yield
    except InputError:
        raise
    except GatedRepoError:
        raise InputError(
            f"{shown}: its owner wants to be asked first; ask on its page, log in with "
            "'hf auth login', and run again"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{shown}: there is no such repository, or it is private and you are not logged in "
            "('hf auth login'); check the name"
        ) from None
    except RevisionNotFoundError:
        raise InputError(f"{shown}: there is no such revision; leave it out") from None
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"{shown}: not on this machine, and the hub cannot be reached "
            f"({one_line(error.__cause__ or error, 100)}); run it once where there is a network"
        ) from None
    except EntryNotFoundError:
        raise InputError(
            f"{shown}: the repository holds no bundle (no {RUN_MARKER}); make one with "
            "'weclip push RUN OWNER/NAME'"
        ) from None
    except HfHubHTTPError as error:
        refused = error.response.status_code in (401, 403)
        way_out = (
            "log in as who may write there ('hf auth login')" if refused else "try again later"
        )
        raise InputError(
            f"{shown}: refused by the hub ({error.response.status_code}, "
            f"{one_line(error.server_message or error, 100)}); {way_out}"
        ) from error
    except OSError as error:
        if error.errno in OF_A_DISK:
            raise WriteError(error.errno, error.strerror, error.filename or HF_HUB_CACHE) from error
        raise _unknown(shown, error) from error
    except Exception as error:  # of httpx, of the hub, of the system: none of them is ours
        raise _unknown(shown, error) from error


def _unknown(shown: str, error: Exception) -> InputError:
    return InputError(
        f"{shown}: the hub cannot be reached, or answers otherwise than is known "
        f"({one_line(error, 150)}); try again later"
    )


@contextmanager
def quiet_bars() -> Iterator[None]:
    """No bars of the hub's where there is no terminal."""
    if are_progress_bars_disabled() or screen().is_terminal:
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
