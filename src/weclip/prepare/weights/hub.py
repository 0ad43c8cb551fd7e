"""Weights in a repository of the Hugging Face hub: chosen, fetched and checked.

Only the files that are read are fetched: the weights, safest format first, and what says how they
compute. `huggingface_hub` keeps its cache; nothing that is fetched is executed.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils.tqdm import disable_progress_bars
from rich.console import Console

from weclip.backbones.weight_files.folder import INDEX, NAMES, PART, SUFFIXES, find_weights
from weclip.prepare.weights.published import Family
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.system.files import sha256_of
from weclip.system.untrusted.text import one_line

REPOSITORY = re.compile(r"(?P<name>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\w[\w./-]*))?", re.ASCII)
"""`owner/name`, perhaps with a revision: `laion/CLIP-ViT-B-16-laion2B-s34B-b88K@main`."""

OPENAIS = re.compile(r"(ViT-\w|RN\d+)/\d+")
"""Names of OpenAI's, misspelt or not, which no repository has."""

COMMIT = re.compile(r"[0-9a-f]{40}")
BESIDE = (
    "config.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "merges.txt",
    "tokenizer.json",
)
"""Files that say how weights compute, and which words they know."""


@dataclass(frozen=True)
class Repository:
    """A repository at a revision.

    Attributes:
        name: `owner/name`.
        revision: Branch, tag or commit; None: its main branch.
    """

    name: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


def repository_of(text: str) -> Repository | None:
    """The repository that a text names; None if it can only be a path.

    >>> repository_of("openai/clip-vit-base-patch16@57c2164")
    Repository(name='openai/clip-vit-base-patch16', revision='57c2164')
    >>> repository_of("weights/ViT-B-16.pt"), repository_of("a/b/c"), repository_of("../a")
    (None, None, None)
    """
    found = REPOSITORY.fullmatch(text)
    if (
        found is None
        or OPENAIS.fullmatch(text)
        or found["name"].endswith(SUFFIXES)
        or Path(text.split("/")[0]).exists()
    ):
        return None
    return Repository(found["name"], found["revision"])


def repository_for(family: Family, given: str) -> Repository | None:
    """The repository that a text names as weights of a family; None if it names none.

    >>> from weclip.prepare.weights.published import DINO, MIT
    >>> repository_for(MIT, "nvidia/mit-b1"), repository_for(DINO, "dinov2_vits14")
    (Repository(name='nvidia/mit-b1', revision=None), None)
    """
    if given in family.names:
        return Repository(given) if family.on_hub else None
    return repository_of(given)


def cached(repository: Repository) -> Path | None:
    """The folder of a repository that was fetched before; None if it is not whole."""
    for name in NAMES:
        found = try_to_load_from_cache(repository.name, name, revision=repository.revision)
        if isinstance(found, str):
            with suppress(InputError):
                find_weights(Path(found).parent)
                return Path(found).parent
    return None


def fetch(
    repository: Repository,
    family: Family,
    *,
    into: Path | None = None,
    console: Console = QUIET,
) -> Path:
    """Fetch the weights of a repository, and what says how they compute.

    Args:
        repository: Where they are.
        family: What they should be, for messages.
        into: Folder for the files; None: the cache of `huggingface_hub`.
        console: Where it is told.

    Returns:
        The folder. In the cache its name is the commit.

    Raises:
        InputError: There is no such repository, no weights in it, no network, or a file is damaged.
    """
    if console.quiet or not console.is_terminal:
        disable_progress_bars()
    try:
        info = HfApi(library_name="weclip").model_info(
            repository.name, revision=repository.revision, files_metadata=True
        )
        files = {file.rfilename: file for file in info.siblings or ()}
        wanted = wanted_files(sorted(files), str(repository))
        size = sum(files[name].size or 0 for name in wanted)
        if family.notice:
            console.print(family.notice, soft_wrap=True, markup=False, highlight=False)
        console.print(f"fetching {repository} ({size / 1e6:.0f} MB)", soft_wrap=True, markup=False)
        folder = Path(
            snapshot_download(
                repository.name,
                revision=repository.revision,
                allow_patterns=wanted,
                local_dir=into,
            )
        )
    except GatedRepoError:
        raise InputError(
            f"{repository}: its owner wants to be asked first; ask on its page, log in with "
            "'hf auth login', and run again"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{repository}: neither a file or folder here nor a repository of the hub; give the "
            f"path of {family.title} weights, {', '.join(family.names)}, or OWNER/NAME of the hub"
        ) from None
    except RevisionNotFoundError:
        raise InputError(f"{repository}: there is no such revision; leave it out") from None
    except InputError:
        raise
    except Exception as error:  # of httpx, of the hub, of the system: none of them is ours
        raise InputError(
            f"{repository}: not on this machine, and cannot be fetched ({one_line(error, 150)})"
        ) from error
    for name in wanted:
        require_whole(folder / name, files[name])
    return folder


def wanted_files(files: Sequence[str], repository: str) -> list[str]:
    """Those files of a repository that are read.

    Raises:
        InputError: There are no weights in it.

    >>> wanted_files(["config.json", "model.safetensors", "pytorch_model.bin", "x.py"], "a/b")
    ['model.safetensors', 'config.json']
    """
    weights = next((name for name in NAMES if name in files), None)
    if weights is None:
        raise InputError(f"{repository}: no weights in it; expected {' or '.join(NAMES)}")
    parts = []
    if weights.endswith(INDEX):
        stem = weights.removesuffix(INDEX).rpartition(".")[0]
        parts = [name for name in files if (found := PART.fullmatch(name)) and found[1] == stem]
    return [weights, *parts, *(name for name in BESIDE if name in files)]


def require_whole(path: Path, told: RepoSibling) -> None:
    """InputError, and the file goes, if it is not what the hub says that it is."""
    wrong = told.size is not None and path.stat().st_size != told.size
    if told.lfs is not None and not wrong:
        wrong = sha256_of(path) != told.lfs.sha256
    if wrong:
        path.resolve().unlink()  # in the cache it is a link
        raise InputError(f"{path}: damaged on its way (size or SHA-256 differs); run again")
