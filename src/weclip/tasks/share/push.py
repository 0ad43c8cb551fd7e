"""`weclip push`: a bundle in a repository of the Hugging Face hub, with its card.

`huggingface_hub` finds the token and sends the files, in one commit.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from rich.console import Console

from weclip.exports.models.bundle import KIND, Manifest, read_manifest, require_same_file
from weclip.exports.models.card import LICENCES_NAME
from weclip.prepare.weights.hub import Repository
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, kind_of
from weclip.tasks.load.bundle import bundle_of
from weclip.tasks.load.hub import fetch, from_hub, hub_errors, parse_repository, quiet_bars
from weclip.tasks.load.model import model_path
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.public.results import PushResult
from weclip.tasks.share.bundle import (
    CARD_NAME,
    DEFAULTS,
    BundleOptions,
    check_options,
    gather,
    open_unbundled,
    write_bundle,
)

OF_THE_HUB = ".gitattributes"
"""A file that every repository of the hub has from the start."""


def push(
    model_at: ModelAt,
    name: str,
    options: BundleOptions = DEFAULTS,
    *,
    private: bool = False,
    console: Console = QUIET,
) -> PushResult:
    """Send a model to the hub, as a bundle.

    Args:
        model_at: A run, a model file, or a bundle, which is sent as it is.
        name: `owner/name`; the repository is made if it is not there.
        options: How the bundle is made.
        private: Whether only its owner may see it.
        console: Where it is told.

    Raises:
        InputError: Anything given is wrong, nobody is logged in, the hub refuses, or the repository
            holds something else than an earlier bundle.
    """
    check_options(options)
    repository = parse_repository(name, name)
    if repository.revision is not None:
        raise InputError(
            f"{name}: leave out @{repository.revision}; a push makes a commit of its own"
        )
    ready = bundle_of(model_path(from_hub(Path(model_at.run_or_file), whole=True)))
    if ready is not None and options != DEFAULTS:
        raise InputError(
            f"{model_at.run_or_file}: is a bundle already, so --precision, --scores and --license "
            "decide nothing; leave them out, or push the run"
        )
    if get_token() is None:
        raise InputError(
            "push: nobody is logged in to the hub here; run 'hf auth login', or set HF_TOKEN to a "
            "token that may write"
        )
    names = [] if ready is None else _checked(ready.folder, ready.manifest)
    with hub_errors(name), quiet_bars():
        earlier = _Earlier.read(name, private=private)
    with TemporaryDirectory(prefix="weclip-push-") as temporary:
        if ready is not None:
            folder = ready.folder
        else:
            folder = Path(temporary) / "bundle"
            model = open_unbundled(model_at)
            facts = gather(model, model_at, options)
            write_bundle(model, model_at, folder, facts, name=f"hf:{name}")
            names = sorted(path.name for path in folder.iterdir())
        size = sum((folder / each).stat().st_size for each in names) / 1e6
        console.print(f"pushing {size:.1f} MB to {name}", soft_wrap=True, markup=False)
        return _send(folder, names, name, earlier, private=private)


@dataclass(frozen=True)
class _Earlier:
    """What a repository holds before a push.

    Attributes:
        commit: Its last commit; None: there is no such repository yet.
        files: Those of the bundle in it.
    """

    commit: str | None = None
    files: Collection[str] = ()

    @classmethod
    def read(cls, name: str, *, private: bool) -> "_Earlier":
        """Look at a repository.

        Raises:
            InputError: It holds files and no bundle, or is public though `private` is asked for.
        """
        try:
            there = HfApi(library_name="weclip").model_info(name)
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return cls()
        if private and not there.private:
            raise InputError(
                f"{name}: is there and public, and --private is asked for; change it on its page, "
                "or choose another name"
            )
        found = sorted({each.rfilename for each in there.siblings or ()} - {OF_THE_HUB})
        if not found:
            return cls(there.sha)
        record = fetch(Repository(name, there.sha), RUN_MARKER) if RUN_MARKER in found else None
        if record is None or kind_of(record) != KIND:
            raise InputError(
                f"{name}: holds {', '.join(found[:3])}{' and more' if len(found) > 3 else ''} and "
                "no bundle of weclip, and a push would replace what it holds; choose another "
                "name, or delete these files on its page"
            )
        return cls(there.sha, read_manifest(record, name).files)


def _checked(folder: Path, manifest: Manifest) -> list[str]:
    """The files of a bundle, each as it was written but the card, which may be edited.

    Raises:
        InputError: One is missing, damaged or another.
    """
    for name in {*manifest.files, CARD_NAME, LICENCES_NAME}:
        if not name.endswith(".md"):
            require_same_file(folder, name, manifest, str(folder))
        elif not (folder / name).is_file():
            raise InputError(
                f"{folder}: its {name} is missing, and nobody should get a model without it; make "
                "the bundle again"
            )
    return sorted({RUN_MARKER, CARD_NAME, LICENCES_NAME, *manifest.files})


def _send(
    folder: Path, names: list[str], name: str, earlier: _Earlier, *, private: bool
) -> PushResult:
    """Send files, in one commit that follows what was seen; the earlier bundle's others go."""
    api = HfApi(library_name="weclip")
    with hub_errors(name), quiet_bars():
        if earlier.commit is None:
            api.create_repo(name, private=private or None)
        sent = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=names,
            delete_patterns=sorted(set(earlier.files) - set(names)),
            parent_commit=earlier.commit,
            commit_message="A bundle of weclip",
        )
    return PushResult(name, sent.oid, f"{api.endpoint}/{name}")
