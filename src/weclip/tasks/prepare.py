"""`weclip prepare`: fetch a published data set or weights, and lay them out for training."""

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
from weclip.prepare.weights import hub
from weclip.prepare.weights.published import (
    CLIP,
    DINO,
    FAMILIES,
    MIT,
    Family,
    check_name,
    prepare_weights,
)
from weclip.system.console import QUIET
from weclip.system.errors import InputError, did_you_mean
from weclip.system.locks import working_in
from weclip.tasks.check import UNUSED, check

_KEYS = {"voc": voc.KEYS, "coco": coco.KEYS, "clip": (), "dino": (), "mit": ()}
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
    name: str | None = None,
    void_border: bool = False,
    sources: Mapping[str, Source] = PUBLISHED,
    patience: Patience = DEFAULT_PATIENCE,
) -> Prepared:
    """Do what is still missing of a preparation, and check the result as `weclip check` does.

    Args:
        what: `voc`, `coco`, `clip`, `dino` or `mit`.
        root: Folder for the result; archives are fetched into `downloads` in it.
        console: Where progress is shown; by default nowhere.
        given: Files fetched by hand, in place of the downloads.
        name: Which weights: of a family's `names`, whose first one is the default, or a
            repository of the Hugging Face hub.
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
    family = FAMILIES.get(what, CLIP)
    name = family.names[0] if name is None else name
    repository = hub.repository_for(family, name) if what in FAMILIES else None
    if repository is not None:
        return _fetch_from_hub(repository, family, root, console, given)
    check_name(family, name)
    files = check_given(given, sources, _KEYS[what] or (name,))
    folder = root if what in FAMILIES else root / "downloads"
    with working_in(root, "preparation", option="--root"), _progress(console) as progress:
        archives = Archives(sources, folder, files, _reporter(progress), patience)
        if what == "voc":
            voc.prepare_voc(root, archives)
        elif what == "coco":
            coco.prepare_coco(root, archives, void_border=void_border)
        else:
            prepare_weights(root, archives, name)
    weights = root / sources[name].name
    exit_code = 0 if what in FAMILIES else _check_data(what, root, console)
    if what == "dino":
        return Prepared(plus_command(root, weights, _clip_in(root, console, sources)), exit_code)
    if not weights.is_file():
        _say_missing_clip(root, console)
    return Prepared(train_command(what, root, weights), exit_code)


def _check_data(what: str, root: Path, console: Console) -> int:
    """Say how many images each list has, and check all; returns the exit code."""
    for path in sorted((root / _FOLDERS[what] / _LISTS).glob("*.txt")):
        console.print(f"{path.stem}: {len(path.read_text(encoding='utf-8').split())} images")
    config = load_config(what, [f"data.root={root / _FOLDERS[what]}"], unused=UNUSED)
    return 2 if check(config, console=console) == 2 else 0


def _clip_in(root: Path, console: Console, sources: Mapping[str, Source]) -> Path:
    """The file of CLIP in a folder of weights; said where it is not there."""
    files = [root / sources[name].name for name in CLIP.names]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        _say_missing_clip(root, console)
    return found or files[0]


def _say_missing_clip(root: Path, console: Console) -> None:
    """Say how CLIP's weights are fetched into the same folder."""
    fetch = shlex.join(["weclip", "prepare", "clip", "--root", str(root)])
    notice = f"CLIP's weights are not there yet: {fetch}"
    console.print(notice, soft_wrap=True, markup=False, highlight=False)


def _fetch_from_hub(
    repository: hub.Repository, family: Family, root: Path, console: Console, given: Sequence[Path]
) -> Prepared:
    """Fetch weights of the hub into a folder of their name below `root`."""
    if given and family.on_hub:
        raise InputError(f"--from is not for {family.word}; give the file as {family.key}=FILE")
    if given:
        raise InputError(f"--from is for {family.publisher}'s files; leave it out")
    place = root / repository.name.rpartition("/")[2]
    with working_in(root, "preparation", option="--root"):
        hub.fetch(repository, family, into=place, console=console)
    if family is DINO:
        return Prepared(plus_command(root, place, _clip_in(root, console, PUBLISHED)), 0)
    if family is MIT:
        return Prepared(afa_command(root, place), 0)
    return Prepared(train_command("clip", root, place), 0)


def train_command(what: str, root: Path, weights: Path) -> str:
    """The command line that trains on `voc` or `coco`; on what is there if `what` is `clip`."""
    data = _data_in(root) if what == "clip" else what
    return _train(data, data, root, f"clip.weights={weights}")


def plus_command(root: Path, dino: Path, clip: Path) -> str:
    """The command line that trains with DINOv2 beside CLIP, on the data that are there."""
    data = _data_in(root)
    return _train(f"{data}-plus", data, root, f"clip.weights={clip}", f"dino.weights={dino}")


def afa_command(root: Path, mit: Path) -> str:
    """The command line that trains AFA, which needs a MiT and no CLIP, on the data there are."""
    data = _data_in(root)
    return _train(f"{data}-afa", data, root, f"mit.weights={mit}")


def _data_in(root: Path) -> str:
    """Of `voc` and `coco` what a folder has; `voc` where it has none."""
    return next((name for name, path in _FOLDERS.items() if (root / path).is_dir()), "voc")


def _train(preset: str, data: str, root: Path, *weights: str) -> str:
    parts = [f"data.root={root / _FOLDERS[data]}", *weights]
    return shlex.join(["weclip", "train", "--config", preset, *parts, "--out", f"runs/{preset}"])


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
