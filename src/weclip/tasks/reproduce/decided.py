"""Keys of the configuration that a reproduction decides, so that nobody changes them unseen."""

from collections.abc import Iterator

from weclip.config_file import flatten, to_yaml
from weclip.system.errors import InputError
from weclip.tasks.reproduce.published import Published, needed_keys
from weclip.tasks.reproduce.stages import Request
from weclip.tasks.reproduce.work import config_of

ROWS = "the rows of the table decide it"
DECIDED = {
    "data.root": "--root says where the data are",
    "data.eval_split": ROWS,
    "eval.crf": ROWS,
    "label.crf": ROWS,
}
"""Keys that no table lets be changed, and why."""

NOT_READ = ("train", "method", "eval")
"""Sections that a method without training does not read."""


def require_free(request: Request) -> None:
    """InputError for changes of what the command or a row decides, or of several keys at once.

    Raises:
        InputError: Also as in `load_config`.
    """
    decided = dict(_decided(request.table))
    keys = [change.partition("=")[0] for change in request.changes]
    for key in keys:
        if key in decided:
            raise InputError(f"{key}: {decided[key]}; leave it out")
        if request.table.method is not None and key.partition(".")[0] in NOT_READ:
            raise InputError(
                f"{key}: {request.table.name} trains nothing and does not read it; leave it out"
            )
    known = flatten(to_yaml(config_of(request, request.settings)))
    for key in keys:
        if key not in known:
            first = next((name for name in known if name.startswith(f"{key}.")), f"{key}.KEY")
            raise InputError(f"{key} is a section; give its keys one by one, such as {first}=...")


def _decided(table: Published) -> Iterator[tuple[str, str]]:
    yield from DECIDED.items()
    if table.method is None:
        yield "train.seed", "--seeds decides it"
        return
    yield "data.train_split", ROWS
    yield "label.any_class", ROWS
    if any(row.crf for row in table.rows):
        yield "label.confidence", ROWS
    needed = needed_keys(table)
    for row in table.rows:
        for change in row.changes:
            if (key := change.partition("=")[0]) not in needed:
                yield key, ROWS
