"""The files of the page, read once: a request names one of them, or gets nothing."""

from importlib import resources
from typing import NamedTuple

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


class PageFile(NamedTuple):
    """A file of the page."""

    content: bytes
    kind: str


def page_files() -> dict[str, PageFile]:
    """All files of the page by name."""
    folder = resources.files("weclip.review").joinpath("page")
    return {
        file.name: PageFile(file.read_bytes(), KINDS[f".{file.name.rpartition('.')[2]}"])
        for file in folder.iterdir()
        if f".{file.name.rpartition('.')[2]}" in KINDS
    }
