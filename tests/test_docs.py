"""The documentation site: built strictly, no dead links, nothing that comes from elsewhere."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from tests.test_layout import ROOT
from typer.main import get_command

import weclip
from weclip.cli.app import app

mkdocs = pytest.importorskip("mkdocs", reason="needs the extra 'docs'")

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Elements that a browser loads by itself, and where they say what."""

NOT_LOADED = {"canonical", "prev", "next"}
"""Links of a page's head that no browser loads."""


class Page(HTMLParser):
    """What a page links to, loads, and calls its places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        address = given.get(LOADED.get(tag, ""))
        if address and not NOT_LOADED & set(given.get("rel", "").split()):
            self.loaded.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it; a warning ends it."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("docs") / "site"
    build(load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder)))
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}


def is_remote(address: str) -> bool:
    parsed = urlparse(address)
    return bool(parsed.scheme or parsed.netloc)


def dead_links(pages: dict[Path, Page]) -> Iterator[str]:
    """Links and files inside the site that are not there, and places that a page does not have."""
    for path, page in pages.items():
        for address in (a for a in [*page.links, *page.loaded] if not is_remote(a)):
            name, place = urldefrag(unquote(address))
            target = (path.parent / name).resolve() if name else path
            target = target / "index.html" if target.is_dir() else target
            known = target.exists() and (
                target not in pages or place in {"", *pages[target].places}
            )
            if not known:
                yield f"{path.name}: {address}"


def test_links_inside_the_site_lead_somewhere(pages):
    assert len(pages) > 20
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert not list(dead_links(pages))


def test_a_dead_link_is_seen(tmp_path):
    page = tmp_path / "a.html"
    page.write_text('<a href="b.html">x</a><a href="#no">x</a><a href="a.html#yes" id="yes">x</a>')
    assert list(dead_links({page: Page(page)})) == ["a.html: b.html", "a.html: #no"]


def test_nothing_is_loaded_from_elsewhere(site, pages):
    assert not {a for page in pages.values() for a in page.loaded if is_remote(a)}
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    styles += re.findall(r"<style.*?</style>", "".join(page.text for page in pages.values()), re.S)
    assert len(styles) > 2
    assert not [
        s for style in styles for s in re.findall(r"(?:url\(|@import)\s*[\"']?https?:", style)
    ]


def test_lists_and_tables_are_read_as_such(pages):
    """Markdown wants an empty line before them; elsewhere they become one paragraph."""
    found = [
        f"{path.name}: {text}"
        for path, page in pages.items()
        for text in re.findall(r"<p>(?:(?!</p>).)*?\n(?:- |\* |1\. |\| )[^\n]*", page.text, re.S)
    ]
    assert not found, f"put an empty line before these: {found}"


def test_the_search_knows_every_page(site, pages):
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert {path.name for path in pages if f'"{path.name}' not in index} == set()


def test_every_public_name_and_command_has_a_place(site, pages):
    python, commands = pages[site / "api.html"], pages[site / "commands.html"]
    names = {f"weclip.{name}" for name in weclip.__all__ if name != "__version__"}
    assert names - python.places == set()
    assert {f"weclip-{n}" for n in get_command(app).commands} - commands.places == set()
    assert "Raises:" in python.text


def test_a_page_that_is_mentioned_is_linked(site, pages):
    assert "first-hour.html" in pages[site / "index.html"].links
    unlinked = {path.name for path, page in pages.items() if "<code>docs/" in page.text}
    assert not unlinked
