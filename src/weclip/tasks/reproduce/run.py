"""`weclip reproduce`: do what is missing of the stages, and keep the table.

Killed anywhere, the same command goes on: a stage that ended has a record, and one that did not
goes on by its own `--resume`, or is done again.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from weclip.config import Config
from weclip.config_file import flatten, to_yaml
from weclip.prepare.sources import PUBLISHED as FILES
from weclip.prepare.sources import matches
from weclip.prepare.weights.published import FAMILIES
from weclip.system.console import QUIET
from weclip.system.distributed import connect
from weclip.system.errors import InputError, StoppedError
from weclip.system.files import (
    RUN_MARKER,
    claim_folder,
    is_output,
    remove_temporaries,
    write_json,
)
from weclip.system.locks import LOCK_NAME, working_in
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import read_json
from weclip.tasks.reproduce.costs import cost_lines
from weclip.tasks.reproduce.decided import require_free
from weclip.tasks.reproduce.lacking import lacking
from weclip.tasks.reproduce.published import needed_keys, read_published
from weclip.tasks.reproduce.stages import Request, Stage, stages
from weclip.tasks.reproduce.table import Line, lines, notes, rich_table, show, write_results
from weclip.tasks.reproduce.work import WORK, config_of, digest
from weclip.tasks.train.resume import FREE_ON_RESUME
from weclip.tasks.train.seeds import parse_seeds

KIND = "reproduction"
RECIPE_NAME = "recipe.json"
RECORDS = "stages"

WEIGHTS = {f"{word}.weights": family.names[0] for word, family in FAMILIES.items()}
"""The published weights, by key."""


def make_request(
    name: str, root: Path, out: Path, *, seeds: str | None = None, changes: Sequence[str] = ()
) -> Request:
    """What a command asks for.

    Args:
        name: Of `published_names`.
        root: Folder of data and weights.
        out: Folder of the reproduction.
        seeds: Such as `0` or `0,1,2`; None: 0, since published runs report one number.
        changes: `section.key=value`.

    Raises:
        InputError: Something of it cannot be.
    """
    table = read_published(name)
    if seeds is not None and table.method is not None:
        raise InputError(f"--seeds {seeds}: {name} trains nothing; leave it out")
    one = seeds is None or seeds.strip().isdecimal()
    numbers = (int(seeds or 0),) if one else tuple(parse_seeds(str(seeds)))
    request = Request(table=table, root=root, out=out, seeds=numbers, changes=tuple(changes))
    require_free(request)
    return request


def reproduce(request: Request, *, console: Console = QUIET, overwrite: bool = False) -> list[Line]:
    """Do what is missing, and write `reproduction.json` and `table.md`.

    Args:
        request: What is to be reproduced.
        console: Where progress and table are shown; by default nowhere.
        overwrite: Replace an earlier reproduction, trainings included.

    Returns:
        The rows of the table.

    Raises:
        InputError: Anything given cannot be used, or another reproduction is in the folder.
        RunError: It ended early; the same command goes on.
    """
    if connect().num_processes > 1:
        raise InputError(
            "reproduce is one process; start the commands of --dry-run with torchrun or "
            "accelerate, in their order, and reproduce afterwards for the table"
        )
    with working_in(request.out, KIND):
        config = config_of(request, request.settings)
        _enter(request, config, overwrite=overwrite)
        return _reproduce(request, config, console)


def show_plan(request: Request, console: Console) -> None:
    """Show every command with what it takes; nothing is done."""
    config = config_of(request, request.settings)
    todo = stages(request)
    reasons = {each.name: why for each in todo if (why := lacking(request, each)) is not None}
    for number, stage in enumerate(todo, 1):
        reason = reasons.get(stage.name)
        unmet = "" if reason is None else f" (not run here: needs {reason})"
        console.print(f"{number}. {stage.name}{unmet}", soft_wrap=True, style="bold", markup=False)
        for text in (stage.command, *cost_lines(stage.cost)):
            console.print(f"   {text}", soft_wrap=True, markup=False, highlight=False)
    said = notes(request, changed_texts(request, config), {})
    console.print(rich_table(request, lines(request, config, {}, reasons), said))


def _reproduce(request: Request, config: Config, console: Console) -> list[Line]:
    """As `reproduce`, in a folder that is held."""
    changed, todo = changed_texts(request, config), stages(request)
    done = {each.name: found for each in todo if (found := _finished(request, each)) is not None}
    reasons: dict[str, str] = {}
    for number, stage in enumerate(todo, 1):
        finished = _finished(request, stage) is not None  # an earlier stage may be new by now
        if not finished:
            done.pop(stage.name, None)
        reason = None if finished else lacking(request, stage)
        if reason is not None:
            reasons[stage.name] = reason
        state = "done already" if finished else reason and f"not run: needs {reason}"
        title = f"[{number}/{len(todo)}] {stage.name}: {state or stage.command}"
        console.print(title, soft_wrap=True, style="bold", markup=False, highlight=False)
        if state is None:
            done[stage.name] = _do(request, stage, console)
            _keep(request, config, changed, done, reasons)
    rows, said = _keep(request, config, changed, done, reasons)
    show(request, rows, said, console)
    return rows


def _do(request: Request, stage: Stage, console: Console) -> dict[str, Any]:
    """Do a stage, and keep its record; what was made of another source goes first.

    Raises:
        StoppedError: A signal ended a training, saved.
    """
    began, path, source = time.monotonic(), _record_path(request, stage), digest(request, stage)
    if path.is_file() and read_json(path, "record of a stage").get("source") != source:
        shutil.rmtree(request.out / stage.name, ignore_errors=True)
    write_json(path, {"source": source})
    try:
        result = WORK[stage.kind](request, stage, console)
    except StoppedError:
        raise StoppedError(f"{stage.name} was stopped, saved; the same command goes on") from None
    record = {
        "command": stage.command,
        "source": source,
        "result": result,
        "seconds": round(time.monotonic() - began, 1),
        "versions": versions(),
    }
    write_json(path, record)
    return record


def _keep(
    request: Request,
    config: Config,
    changed: Sequence[str],
    done: Mapping[str, Mapping[str, Any]],
    reasons: Mapping[str, str],
) -> tuple[list[Line], list[str]]:
    """Write the table of what is there."""
    results = {name: record["result"] for name, record in done.items()}
    seconds = {name: record["seconds"] for name, record in done.items()}
    rows, said = lines(request, config, results, reasons), notes(request, changed, results)
    if len({str(record["versions"]) for record in done.values()}) > 1:
        said.append(f"stages were run with several versions or devices: {RECORDS}/")
    write_results(request, rows, said, seconds)
    return rows, said


def _finished(request: Request, stage: Stage) -> dict[str, Any] | None:
    """The record of a stage that ended; None if it did not, or what it made has gone, or what it
    was made of is another now.

    None of a preparation, which sees for itself what is there.
    """
    path = _record_path(request, stage)
    if not path.is_file() or not (request.out / stage.name / RUN_MARKER).is_file():
        return None
    record: dict[str, Any] = read_json(path, "record of a stage")
    ended = "result" in record and record["source"] == digest(request, stage)
    return record if ended else None


def _record_path(request: Request, stage: Stage) -> Path:
    return request.out / RECORDS / f"{stage.name.replace('/', '-')}.json"


def _enter(request: Request, config: Config, *, overwrite: bool) -> None:
    """Make the folder, or go on in it.

    Raises:
        InputError: It is not ours, or holds a reproduction of something else.
    """
    out, recipe = request.out, _recipe(request, config)
    if overwrite or not is_output(out, KIND):
        if overwrite or not _holds_stages(request):
            claim_folder(out, KIND, overwrite=overwrite, inputs=[request.root])
        write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
        write_json(out / RECIPE_NAME, recipe)
        return
    remove_temporaries(out)
    path = out / RECIPE_NAME
    before = read_json(path, "recipe") if path.is_file() else recipe  # killed before it was written
    changed = [
        f"{key} was {before.get(key)}, now {recipe.get(key)}"
        for key in sorted(before.keys() | recipe.keys())
        if before.get(key) != recipe.get(key)
    ]
    if changed:
        raise InputError(
            f"--out {out} holds another reproduction ({'; '.join(changed)}); give the same, choose "
            "another --out, or add --overwrite"
        )
    if not path.is_file():
        write_json(path, recipe)


def _holds_stages(request: Request) -> bool:
    """Whether there are folders of stages only, made by the commands of `--dry-run` one by one.

    The tasks see for themselves whether these were made with the same configuration.
    """
    held = {path.name for path in request.out.iterdir()} - {LOCK_NAME}
    return bool(held) and held <= {Path(each.name).parts[0] for each in stages(request)}


def _recipe(request: Request, config: Config) -> dict[str, Any]:
    """What decides the numbers, by key; seeds may come later, and have stages of their own."""
    settings = flatten(to_yaml(config))
    free = {*FREE_ON_RESUME, "data.root"} - WEIGHTS.keys()
    recipe = {key: value for key, value in settings.items() if key not in free}
    given = WEIGHTS.keys() - {FAMILIES[word].key for word in request.weights}
    return {
        "name": request.table.name,
        **{k: v for k, v in recipe.items() if k not in WEIGHTS or k in given},
    }


def changed_texts(request: Request, config: Config) -> list[str]:
    """The user's changes that numbers depend on, as they were given."""
    plain = Request(table=request.table, root=request.root, out=request.out)
    before, now = (flatten(to_yaml(each)) for each in (config_of(plain, plain.settings), config))
    free = {*FREE_ON_RESUME} - WEIGHTS.keys()
    free |= needed_keys(request.table)
    differs = {k for k in now if before.get(k) != now[k] and k not in free}
    differs -= {key for key in WEIGHTS if _is_published(key, str(now.get(key)))}
    last = {change.partition("=")[0]: change for change in request.changes}
    return [text for key, text in last.items() if key in differs]


def _is_published(key: str, given: str) -> bool:
    """Whether weights that the user has named are the published ones."""
    name = WEIGHTS[key]
    path = Path(given)
    known = name in FILES and path.is_file()
    return given == name or (known and matches(path, FILES[name].checksum))
