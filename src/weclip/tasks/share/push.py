"""`weclip push`: a bundle in a repository of the Hugging Face hub, with its card.

`huggingface_hub` finds the token and sends the files, in one commit.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi, get_token
from rich.console import Console

from weclip.exports.models.bundle import Manifest, require_same_file
from weclip.exports.models.card import LICENCES_NAME
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER
from weclip.tasks.load.bundle import bundle_of
from weclip.tasks.load.hub import hub_errors, parse_repository, quiet_bars
from weclip.tasks.load.model import model_path
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.public.results import PushResult
from weclip.tasks.share.bundle import (
    DEFAULTS,
    BundleOptions,
    check_options,
    gather,
    open_unbundled,
    write_bundle,
)

OURS = ("*.safetensors", "LICENSE-*.txt", LICENCES_NAME, RUN_MARKER)
"""Files of an earlier bundle, which go in the same commit if the new one has none of their name."""


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
        InputError: Anything given is wrong, nobody is logged in, or the hub refuses.
    """
    check_options(options)
    repository = parse_repository(name, name)
    if repository.revision is not None:
        raise InputError(
            f"{name}: leave out @{repository.revision}; a push makes a commit of its own"
        )
    ready = bundle_of(model_path(Path(model_at.run_or_file)))
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
    with TemporaryDirectory(prefix="weclip-push-") as temporary:
        if ready is not None:
            folder, names = ready.folder, _checked(ready.folder, ready.manifest)
        else:
            folder = Path(temporary) / "bundle"
            model = open_unbundled(model_at)
            facts = gather(model, model_at, options)
            write_bundle(model, model_at, folder, facts, name=f"hf:{name}")
            names = sorted(path.name for path in folder.iterdir())
        size = sum((folder / each).stat().st_size for each in names) / 1e6
        console.print(f"pushing {size:.1f} MB to {name}", soft_wrap=True, markup=False)
        return _send(folder, names, name, private=private)


def _checked(folder: Path, manifest: Manifest) -> list[str]:
    """The files of a bundle, each as it was written but the card, which may be edited."""
    for name in manifest.files:
        if not name.endswith(".md"):
            require_same_file(folder, name, manifest, str(folder))
    return sorted([RUN_MARKER, *(name for name in manifest.files if (folder / name).is_file())])


def _send(folder: Path, names: list[str], name: str, *, private: bool) -> PushResult:
    api = HfApi(library_name="weclip")
    with hub_errors(name), quiet_bars():
        api.create_repo(name, private=private or None, exist_ok=True)
        if private and not api.model_info(name).private:
            raise InputError(
                f"{name}: is there and public, and --private is asked for; change it on its page, "
                "or choose another name"
            )
        sent = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=names,
            delete_patterns=list(OURS),
            commit_message="A bundle of weclip",
        )
    return PushResult(name, sent.oid, f"{api.endpoint}/{name}")
