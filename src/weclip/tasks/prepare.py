"""`weclip prepare`: fetch a published data set or CLIP, and lay it out for training."""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TimeRemainingColumn

from weclip.config_file import load_config
from weclip.prepare import coco, voc
from weclip.prepare.archives import Archives, check_given
from weclip.prepare.download import DEFAULT_PATIENCE, Patience
from weclip.prepare.sources import PUBLISHED, Report, Source
from weclip.prepare.weights import hub, openai
from weclip.system.console import QUIET
from weclip.system.errors import InputError, did_you_mean
from weclip.system.locks import working_in
from weclip.tasks.check import UNUSED, check

_KEYS = {"voc": voc.KEYS, "coco": coco.KEYS, "clip": ()}
_FOLDERS = {"voc": Path("VOCdevkit", "VOC2012"), "coco": Path("MSCOCO")}
_LISTS = Path("ImageSets", "Segmentation")
_REFRESH = 0.2  # seconds


class Prepared(NamedTuple):
    """What a preparation ends with.

    Attributes:
        command: The command line that trains with what was prepared.
        exit_code: 2 if `weclip check` finds an error in it, else 0.
    """

    command: str
    exit_code: int


def prepare(
    what: str,
    root: Path,
    *,
    console: Console = QUIET,
    given: Sequence[Path] = (),
    name: str = openai.NAMES[0],
    void_border: bool = False,
    sources: Mapping[str, Source] = PUBLISHED,
    patience: Patience = DEFAULT_PATIENCE,
) -> Prepared:
    """Do what is still missing of a preparation, and check the result as `weclip check` does.

    Args:
        what: `voc`, `coco` or `clip`.
        root: Folder for the result; archives are fetched into `downloads` in it.
        console: Where progress is shown; by default nowhere.
        given: Files fetched by hand, in place of the downloads.
        name: Which CLIP: of `openai.NAMES`, or a repository of the Hugging Face hub.
        void_border: For `coco`: mark a border round every instance as ignored.
        sources: Table of the files, as in `sources.py`.
        patience: Timeouts and attempts of downloads.

    Raises:
        InputError: Something given, fetched or found cannot be used. What was finished is kept.
    """
    if what not in _KEYS:
        hint = did_you_mean(what, _KEYS)
        raise InputError(f"prepare {what}: unknown; known: {', '.join(_KEYS)}. {hint}".strip())
    if void_border and what != "coco":
        raise InputError("--void-border is for coco only; leave it out")
    repository = hub.repository_of(name) if what == "clip" and name not in openai.NAMES else None
    if repository is not None:
        return _fetch_from_hub(repository, root, console, given)
    openai.check_name(name)
    files = check_given(given, sources, _KEYS[what] or (name,))
    folder = root if what == "clip" else root / "downloads"
    with working_in(root, "preparation", option="--root"), _progress(console) as progress:
        archives = Archives(sources, folder, files, _reporter(progress), patience)
        if what == "voc":
            voc.prepare_voc(root, archives)
        elif what == "coco":
            coco.prepare_coco(root, archives, void_border=void_border)
        else:
            openai.prepare_clip(root, archives, name)
    for path in sorted((root / _FOLDERS[what] / _LISTS).glob("*.txt")) if what != "clip" else ():
        console.print(f"{path.stem}: {len(path.read_text(encoding='utf-8').split())} images")
    exit_code = 0
    if what != "clip":
        config = load_config(what, [f"data.root={root / _FOLDERS[what]}"], unused=UNUSED)
        exit_code = 2 if check(config, console=console) == 2 else 0
    weights = root / sources[name].name
    if not weights.is_file():
        fetch = shlex.join(["weclip", "prepare", "clip", "--root", str(root)])
        console.print(
            f"CLIP's weights are not there yet: {fetch}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    return Prepared(train_command(what, root, weights), exit_code)


def _fetch_from_hub(
    repository: hub.Repository, root: Path, console: Console, given: Sequence[Path]
) -> Prepared:
    """Fetch a CLIP of the hub into a folder of its name below `root`."""
    if given:
        raise InputError("--from is for OpenAI's files; leave it out")
    place = root / repository.name.rpartition("/")[2]
    with working_in(root, "preparation", option="--root"):
        hub.fetch(repository, into=place, console=console)
    return Prepared(train_command("clip", root, place), 0)


def train_command(what: str, root: Path, weights: Path) -> str:
    """The command line that trains on `voc` or `coco`; on what is there if `what` is `clip`."""
    data = what
    if what == "clip":
        data = next((name for name, path in _FOLDERS.items() if (root / path).is_dir()), "voc")
    parts = [f"data.root={root / _FOLDERS[data]}", f"clip.weights={weights}"]
    return shlex.join(["weclip", "train", "--config", data, *parts, "--out", f"runs/{data}"])


def _progress(console: Console) -> Progress:
    """A bar for each file or step; drawn without a thread, so that processes can be forked."""
    return Progress(
        "{task.description}",
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
    )


def _reporter(progress: Progress) -> Report:
    tasks: dict[str, TaskID] = {}
    shown = 0.0

    def report(what: str, done: int, total: int | None) -> None:
        nonlocal shown
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        now = time.monotonic()
        refresh = done == total or now - shown > _REFRESH
        shown = now if refresh else shown
        progress.update(tasks[what], completed=done, total=total, refresh=refresh)

    return report
