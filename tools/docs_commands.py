"""The page of the commands, from what `weclip --help` is made of."""

import re
from typing import Any

from typer.main import get_command

from docs_keys import cell
from weclip.cli.app import app

INTRODUCTION = """# Commands

`weclip COMMAND --help` says the same on a terminal. What exit codes mean: `docs/runs.md`; every
`SECTION.KEY=VALUE`: `docs/keys.md`.
"""


def page() -> str:
    """Every command: what it does, an example, its arguments and options."""
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join([INTRODUCTION, *(section(n, commands[n]) for n in sorted(commands))])


def section(name: str, command: Any) -> str:
    """One command."""
    text, _, example = (command.help or "").partition("For example:")
    lines = [f"## weclip {name}", "", text.strip(), ""]
    if example:
        lines += ["```bash", *examples(example), "```", ""]
    if command.epilog:
        lines += [command.epilog, ""]
    lines += ["| Argument or option | Meaning |", "|---|---|"]
    context = command.make_context(name, [], resilient_parsing=True)
    rows = (each.get_help_record(context) for each in command.get_params(context))
    made = [f"| `{shown.replace('<list[str]>', '...')}` | {cell(said)} |" for shown, said in rows]
    return "\n".join([*lines, *made, ""])


def examples(text: str) -> list[str]:
    """The commands of "weclip a, or weclip b"."""
    one_line = " ".join(text.split()).removesuffix(".")
    return [each.strip(" ,") for each in re.split(r",? or (?=weclip )", one_line)]
