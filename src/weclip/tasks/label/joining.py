"""Output folders that shards and later runs fill together: made, or joined if all is the same."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, claim_folder, is_output, write_json
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import read_json

Record = dict[str, Any]


def shard_of(shard: str | None, *, resume: bool, overwrite: bool) -> tuple[int, int] | None:
    """The shard (i, n) of `i/n`; InputError for another text, or options that contradict."""
    if overwrite and (resume or shard):
        other = "--resume" if resume else "--shard"
        raise InputError(f"{other} and --overwrite contradict each other; give one of them")
    if shard is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", shard)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"--shard {shard}: give i/n with i from 1 to n, such as 2/4")
    return int(found[1]), int(found[2])


def make_or_join(
    recipe: Path,
    content: Record,
    *,
    what: str,
    joins: bool,
    overwrite: bool,
    inputs: Iterable[Path],
) -> None:
    """Make the folder of a recipe, or join what is there.

    Args:
        recipe: The file in the folder that says what its results are made with.
        content: What is written there if it is new; `kind` is that of the folder.
        what: Of the results, for messages, such as `masks of weclip label`.
        joins: Whether an earlier or concurrent output is continued.
        overwrite: Whether an earlier output is deleted.
        inputs: Files and folders of the user's, which are never deleted.

    Raises:
        InputError: As `claim_folder`.
    """
    out, kind = recipe.parent, content["kind"]
    if not (joins and is_output(out, kind)):
        try:
            claim_folder(out, kind, overwrite=overwrite, inputs=inputs)
        except InputError:
            if not joins or not out.is_dir():
                raise
            if not is_output(out, kind):  # else another shard was faster
                raise InputError(
                    f"--out {out} holds no {what} to go on with; choose another folder"
                ) from None
    if not recipe.exists():
        write_json(out / RUN_MARKER, {"kind": kind, "versions": versions()})
        write_json(recipe, content)


def require_same(
    recipe: Path,
    content: Record,
    decisive: Callable[[Mapping[str, Any]], Record],
    *,
    what: str,
    long: Iterable[str] = (),
) -> Record:
    """What is written in a recipe, if results that are made now would be made the same way.

    Args:
        recipe: The file.
        content: What would be written now.
        decisive: Those parts of a recipe that results depend on.
        what: Of the results, for messages.
        long: Keys of parts that are too long to be shown.

    Raises:
        InputError: It cannot be read, or says something else.
    """
    try:
        written: Record = read_json(recipe, "recipe")
        before = decisive(written)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{recipe} cannot be read; choose another --out") from None
    now = decisive(content)
    changed = [
        f"{key} was {before.get(key)}, now {now.get(key)}" if key not in long else f"other {key}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise InputError(
            f"--out {recipe.parent} holds {what} that were made otherwise ({'; '.join(changed)}); "
            "give the same, or choose another --out"
        )
    return written
