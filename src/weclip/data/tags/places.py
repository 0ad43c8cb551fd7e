"""Which file an export means: tools rename images, move them, or know them by an address.

Stage 1. A reader lists the files that an image may be, the likeliest first; `resolve` takes the
first that is there. Nothing is taken for an image that is not named so.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from weclip.data.images.listing import Listings
from weclip.data.tags.reading import RawRow
from weclip.system.untrusted.files import is_folder

_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a file that is uploaded."""


def places_of(file: str, folders: Iterable[str] = ()) -> tuple[str, ...]:
    """The files that a path in an export may be.

    Args:
        file: A relative path, or one from another machine.
        folders: Folders that the tool puts images in.

    Returns:
        The path, in the folders and by itself; then what follows its first folders, one after the
        other; then the same without Label Studio's prefix of uploads.

    >>> places_of("a/1.jpg", ["images"])
    ('images/a/1.jpg', 'a/1.jpg', 'images/1.jpg', '1.jpg')
    >>> places_of("8b2c1f0e-1.jpg")
    ('8b2c1f0e-1.jpg', '1.jpg')
    """
    parts = [part for part in file.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    ends = ["/".join(parts[start:]) for start in range(len(parts))]
    bases = [*(f"{folder.strip('/')}/" for folder in folders), ""]
    named = [f"{base}{end}" for end in ends for base in bases]
    plain = _UPLOAD.sub("", parts[-1], count=1) if parts else ""
    if parts and plain != parts[-1]:
        named += [f"{base}{plain}" for base in bases]
    return tuple(dict.fromkeys(named))


def file_of(address: str) -> str:
    """The file that a task of Label Studio shows.

    Returns:
        Path below the document root, below the bucket, or the name of an uploaded file.

    Raises:
        ValueError: The address is malformed, or holds the image itself.

    >>> file_of("/data/local-files/?d=beach/1.jpg"), file_of("/data/upload/3/1%20a.jpg")
    ('beach/1.jpg', '1 a.jpg')
    >>> file_of("s3://bucket/beach/1.jpg"), file_of("https://example.org/a/1.jpg?key=2")
    ('beach/1.jpg', 'a/1.jpg')
    """
    if address.startswith("data:"):
        raise ValueError("the task holds the image itself and no name of a file")
    if "?d=" in address:
        raw = address.partition("?d=")[2].partition("&")[0]
        return unquote(raw).replace("\\", "/").lstrip("/")
    parts = urlsplit(address)
    local = not parts.scheme and not address.startswith("/")
    if local or (len(parts.scheme) == 1 and "\\" in address):  # a path, perhaps with # and ?
        return address
    path = unquote(parts.path).lstrip("/")
    uploaded = re.match(r"data/upload/(?:\d+/)?|upload/(?:\d+/)?", path)
    return PurePosixPath(path).name if uploaded else path


def resolve(rows: Iterable[RawRow], images: Path) -> list[RawRow]:
    """Name each row's image by the first of its places that is a file.

    Args:
        rows: What a reader found.
        images: Folder of the images; need not exist.
    """
    finder = _Finder(images)
    return [finder.resolved(row) if row.places else row for row in rows]


class _Finder:
    """Looks for files below a folder; of folders that are not there, only once."""

    def __init__(self, images: Path) -> None:
        self.listings = Listings(images)
        self.folders: dict[str, bool] = {}

    def resolved(self, row: RawRow) -> RawRow:
        place = next((place for place in row.places if self._is_there(place)), row.image)
        return row if place == row.image else replace(row, image=place)

    def _is_there(self, place: str) -> bool:
        folder, _, name = place.rpartition("/")
        if place.startswith("/") or name in ("", ".", "..") or not self._has_folder(folder):
            return False
        return self.listings.exists(self.listings.find_image(PurePosixPath(place)))

    def _has_folder(self, folder: str) -> bool:
        if folder not in self.folders:
            path = PurePosixPath(folder)
            inside = not path.is_absolute() and ".." not in path.parts
            found = inside and is_folder(self.listings.root / self.listings.find(path))
            self.folders[folder] = found
        return self.folders[folder]
