"""Images that tags files name: one file for all, or one in the folder of each split.

Stage 1, for the format `folder`. Rows keep names and splits as the file has them (`data/tags`);
here is found which file a row means. A row means the file of its path, relative to the images'
folder or to the folder of the file in a split's folder; where there is none, the only one of that
path in a folder of images or of the row's split, as annotation tools export them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.file_names import require_usable
from weclip.data.images.image_kinds import is_image
from weclip.data.images.listing import Listings
from weclip.data.layouts.dataset_yaml import Description, image_folders
from weclip.data.layouts.folder_names import part_of
from weclip.data.layouts.pool import ONLY_SPLIT, Placed, Pool
from weclip.data.layouts.split_names import same_split
from weclip.data.tags.reading import TagsChoice
from weclip.data.tags.tags_file import TagsRow, read_tag_names, read_tags_file
from weclip.system.errors import InputError
from weclip.system.untrusted.text import is_usable, shown


@dataclass(frozen=True)
class Table:
    """What was read of one tags file.

    Attributes:
        path: The file.
        rows: Its rows.
        left_out: Why something in it is no row -> its names.
        source: Where the tags come from, for people.
    """

    path: Path
    rows: list[TagsRow]
    left_out: Mapping[str, list[str]]
    source: str


def read_table(path: Path, classes: ClassList, place: Description, choice: TagsChoice) -> Table:
    """Read a tags file; errors as in `read_tags_file`."""
    images = place.images if place.tags is not None else path.parent
    control, untagged = choice.control, choice.untagged
    found = read_tags_file(path, classes, control=control, untagged=untagged, images=images)
    return Table(path, found.rows, found.left_out, f"{path} ({found.source})")


class _AnyName(ClassList):
    """A class list that knows every name: of such a table only images and splits are read."""

    def index_of_tag(self, name: str, where: str) -> int:
        return 0


def read_untagged_table(path: Path, place: Description, choice: TagsChoice) -> Table:
    """Read images and splits of a tags file, whatever its tags are; errors but for tags."""
    try:
        names = tuple(read_tag_names(path, control=choice.control, untagged=choice.untagged))
    except InputError:  # no tag, say, or two that differ in case only; the rows may be good
        names = ("",)
    any_name = _AnyName(names, tuple((name,) for name in names), ())
    found = read_table(path, any_name, place, choice)
    return replace(found, rows=[replace(row, tags=()) for row in found.rows])


def pool_of_rows(place: Description, tables: list[Table]) -> Pool:
    """The images that tags files name, with their splits.

    Raises:
        InputError: A row's path leaves the folder, two rows mean one image, or splits are given
            for some of the images only.
    """
    finder = _Finder(place)
    left_out: dict[str, list[str]] = {}
    named: set[str] = set()
    images: dict[str, Placed] = {}
    for table in tables:
        home = "" if place.tags is not None else table.path.parent.relative_to(place.images)
        for placed, row in _placed(table, place, finder, PurePosixPath(home)):
            other = images.setdefault(placed.image.name, placed)
            if other is not placed:
                raise InputError(
                    f"{table.path}, line {row.line}: '{row.image}' and '{other.image.path.name}' "
                    "differ only in their suffix, or not at all; remove or rename one of them"
                )
        for reason, names in table.left_out.items():
            left_out.setdefault(reason, []).extend(map(shown, names))
            named.update(finder.images(names, PurePosixPath(home)))
    by_column = any(row.split is not None for table in tables for row in table.rows)
    found, by_folder = list(images.values()), False
    if not by_column and place.tags is not None:
        found, by_folder = _split_by_folders(found, tables[0])
    paths = ", ".join(str(table.path) for table in tables)
    splits = "the column split" if by_column else ""
    if by_folder or (place.tags is None and any(each.split for each in found)):
        splits = "the folders"
    sources = ", ".join(table.source for table in tables)
    return Pool(found, sources, splits, paths, left_out, of_rows=left_out, named=frozenset(named))


def _placed(
    table: Table, place: Description, finder: "_Finder", home: PurePosixPath
) -> Iterator[tuple[Placed, TagsRow]]:
    """The rows of one table with their files."""
    with_split = [row for row in table.rows if row.split is not None]
    if with_split and len(with_split) < len(table.rows):
        line = next(row.line for row in table.rows if row.split is None)
        raise InputError(
            f"{table.path}, line {line}: 'split' is missing here but given in other rows"
        )
    own = split_of_folders(home)
    for row in table.rows:
        where = f"{table.path}, line {row.line}"
        if own is not None and row.split is not None and not same_split(row.split, own):
            raise InputError(f"{where}: split '{row.split}' in the folder of split '{own}'")
        path = _relative_image(row, place.reserved, where)
        image, exists = finder.find(path, home, row.split, where)
        name = str(image.with_suffix(""))
        tagged = TaggedImage(name, place.images / image, row.tags)
        yield Placed(tagged, row.split or own, str(image), exists), row


def split_of_folders(folder: PurePosixPath) -> str | None:
    """The split that a folder's first names tell, as `train` of `images/train/beach`."""
    for name in folder.parts:
        part = part_of(name)
        if part is None or part.split is not None:
            return part.split if part else None
    return None


def _split_by_folders(images: list[Placed], table: Table) -> tuple[list[Placed], bool]:
    """Splits by folders, where the table has none and images lie in folders of several."""
    found = [split_of_folders(PurePosixPath(each.file).parent) for each in images]
    other = next((s for s in found if s is not None and not same_split(ONLY_SPLIT, s)), None)
    if other is None:
        return images, False
    if None in found:
        stray = images[found.index(None)]
        raise InputError(
            f"{table.path}: '{stray.file}' lies in no folder of a split, but others lie in "
            f"{other}; add a column 'split' with the split of every image"
        )
    return [replace(each, split=s) for each, s in zip(images, found, strict=True)], True


def _relative_image(row: TagsRow, reserved: str | None, where: str) -> PurePosixPath:
    """Check that an image path stays inside the images' folder and outside the mask folder."""
    require_usable(row.image, where)
    image = PurePosixPath(row.image)
    if image.is_absolute() or ".." in image.parts:
        raise InputError(f"{where}: '{row.image}' must be a path relative to the data root")
    if reserved is not None and image.is_relative_to(reserved):
        raise InputError(f"{where}: '{row.image}' lies in {reserved}/, which is reserved for masks")
    return image


class _Finder:
    """Finds the file that a row means."""

    def __init__(self, place: Description) -> None:
        self.place = place
        self.listings = Listings(place.images)
        self._folders: dict[tuple[PurePosixPath, str | None], list[str]] = {}

    def find(
        self, path: PurePosixPath, home: PurePosixPath, split: str | None, where: str
    ) -> tuple[PurePosixPath, bool]:
        """The file, relative to the images' folder, and whether it is there.

        Raises:
            InputError: Nothing is there, but several folders have such a file.
        """
        given = home / path
        if is_image(given.name) and self.listings.has(str(given)):
            return given, True
        first = self.listings.find_image(given)
        if self.listings.exists(first):
            return first, True
        found = [file for file in self._elsewhere(path, home, split) if self.listings.exists(file)]
        if len(set(found)) > 1:
            raise InputError(
                f"{where}: '{path}' may be {found[0]} or {found[1]}; write the path with its folder"
            )
        return (found[0], True) if found else (first, False)

    def images(self, names: list[str], home: PurePosixPath) -> list[str]:
        """The images that names which are no rows mean, as far as they are names of images."""
        paths = [PurePosixPath(name) for name in names if is_usable(name)]
        inside = [p for p in paths if not p.is_absolute() and ".." not in p.parts and p.name]
        found = [self._first(path, home) for path in inside]
        return [str(file) for file in found if file is not None]

    def _first(self, path: PurePosixPath, home: PurePosixPath) -> PurePosixPath | None:
        try:
            file, exists = self.find(path, home, None, "")
        except InputError:  # it may be one of several
            return None
        return file if exists else None

    def _elsewhere(
        self, path: PurePosixPath, home: PurePosixPath, split: str | None
    ) -> Iterator[PurePosixPath]:
        """Where else the image of a row may lie."""
        if (home, split) not in self._folders:
            inside = self.place.reserved
            if inside is not None and home.parts:
                inside = inside.removeprefix(f"{home}/")
            self._folders[home, split] = image_folders(self.place.images / home, inside, split)
        for inner in self._folders[home, split]:
            yield self.listings.find_image(home / inner / path)
