"""Hooks of the documentation site (mkdocs.yml): pages made from the code, and links to pages.

Made at each build, so that they cannot be old: every key, the commands, the Python API, the
changelog. A page that is named in code letters, `docs/data.md`, becomes a link to it.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import docs_commands
import docs_keys

ROOT = Path(__file__).parents[1]
MENTION = re.compile(r"`docs/([\w-]+\.md)`")
"""A page of the site, as the texts of the repository name it."""


def api_page() -> str:
    """Every public name, read from its docstring by mkdocstrings."""
    import weclip

    functions = [name for name in weclip.__all__ if name.islower() and name[0] != "_"]
    classes = [name for name in weclip.__all__ if name[0].isupper()]
    parts = ["# Python", "", "All public names of `weclip`; by task: `docs/python.md`.", ""]
    for title, names in (("Functions", functions), ("Classes", classes)):
        parts += [f"## {title}", "", *(f"::: weclip.{name}\n" for name in names)]
    return "\n".join(parts)


def changelog_page() -> str:
    """CHANGELOG.md, which lies outside the folder of the pages."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


MADE = {
    "api.md": api_page,
    "changelog.md": changelog_page,
    "commands.md": docs_commands.page,
    "keys.md": docs_keys.page,
}
"""Pages that are made, by name."""


@cache
def made(name: str) -> str:
    """The text of a page that is made."""
    return MADE[name]()


def title_of(name: str) -> str:
    """The first heading of a page; its name where there is no such page."""
    path = ROOT / "docs" / name
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    text = made(name) if name in MADE else text
    found = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    return found[1] if found else name


def linked(text: str) -> str:
    """A page's text with mentions of pages as links; a dead one ends a strict build."""
    return MENTION.sub(lambda found: f"[{title_of(found[1])}]({found[1]})", text)


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are made from the code."""
    made.cache_clear()  # `mkdocs serve` builds more than once
    for name in MADE:
        files.append(File.generated(config, name, content=made(name)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Link the pages that are mentioned."""
    return linked(markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings announce an example with two colons, of which readers need one."""
    return html.replace("::</p>", ":</p>")
