"""From a task of Label Studio to its prediction: which file, which tags, which regions.

Needs no Label Studio; `model.py` is the backend.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import weclip
from weclip.exports.label_studio import brush_code
from weclip.system.untrusted.documents import parse_xml
from weclip.system.untrusted.text import short

Values = Iterator[tuple[dict[str, Any], float]]
"""The `value` of each region, and its score."""


@dataclass(frozen=True)
class Control:
    """A tag of the labelling interface that a prediction can fill.

    Attributes:
        kind: A key of `VALUES`.
        name: Of the tag.
        image: Name of the image tag that it belongs to.
        key: Where a task's data holds the address of the image.
        labels: What can be chosen; classes of other names are left out.
        many: Whether several choices may be made.
    """

    kind: str
    name: str
    image: str
    key: str
    labels: frozenset[str]
    many: bool = False


@dataclass(frozen=True)
class Folders:
    """Where images lie that Label Studio shows; None: such images are refused.

    Attributes:
        local_files: Its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT.
        uploads: The folder `media/upload` of its data.
    """

    local_files: Path | None = None
    uploads: Path | None = None

    def file_of(self, address: str) -> Path:
        """The file of an image's address, which lies in one of the folders.

        Raises:
            InputError: It is no such file. Nothing is fetched from elsewhere.
        """
        parts = urlsplit(address)
        if parts.path == "/data/local-files/":
            folder, name = self.local_files, parse_qs(parts.query).get("d", [""])[0]
        elif parts.path.startswith("/data/upload/"):
            folder, name = self.uploads, unquote(parts.path.removeprefix("/data/upload/"))
        else:
            raise weclip.InputError(f"{short(address)}: neither a local file nor an upload")
        if folder is None:
            raise weclip.InputError(f"{short(address)}: the folder of such files was not given")
        try:
            path = (folder / name).resolve()
            inside = path.is_relative_to(folder.resolve()) and path.is_file()
        except (OSError, ValueError):  # a name that no file can have
            inside = False
        if not inside:
            raise weclip.InputError(f"{short(address)}: no such file in {folder}")
        return path


def controls_of(interface: str) -> list[Control]:
    """The tags of a labelling interface that can be filled.

    Raises:
        InputError: It is no XML.
    """
    root = parse_xml(interface.encode(), "labelling interface")
    keys = {tag.get("name"): tag.get("value", "").lstrip("$") for tag in root.iter("Image")}
    return [
        Control(
            tag.tag,
            tag.get("name", ""),
            tag.get("toName", ""),
            keys[tag.get("toName")],
            frozenset(each.get("alias", each.get("value", "")) for each in tag.iter()),
            tag.get("choice") == "multiple",
        )
        for tag in root.iter()
        if tag.tag in VALUES and tag.get("toName") in keys
    ]


def results_of(found: weclip.Segmentation, controls: Sequence[Control]) -> list[dict[str, Any]]:
    """The results of a prediction: what each tag is filled with."""
    height, width = found.size
    filled = [(each, *pair) for each in controls for pair in VALUES[each.kind](found, each)]
    return [
        {
            "id": f"weclip-{number}",
            "type": control.kind.lower(),
            "from_name": control.name,
            "to_name": control.image,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": value,
            "score": score,
        }
        for number, (control, value, score) in enumerate(filled, 1)
    ]


def brushes(found: weclip.Segmentation, control: Control) -> Values:
    """The pixels of each class."""
    for each in classes(found, control):
        code = brush_code(found.label_map == each.id)
        yield {"format": "rle", "rle": code, "brushlabels": [each.name]}, each.confidence


def polygons(found: weclip.Segmentation, control: Control) -> Values:
    """The outlines of each class, in hundredths of width and height."""
    outlines, (height, width) = dict(found.polygons()), found.size
    for each in classes(found, control):
        for corners in outlines[each.name]:
            points = (100 * corners / (width, height)).tolist()
            value = {"points": points, "closed": True, "polygonlabels": [each.name]}
            yield value, each.confidence


def choices(found: weclip.Segmentation, control: Control) -> Values:
    """The classes in the image; the largest, where only one may be chosen."""
    chosen = classes(found, control)[: None if control.many else 1]
    if chosen:
        score = sum(each.confidence for each in chosen) / len(chosen)
        yield {"choices": [each.name for each in chosen]}, score


VALUES: dict[str, Callable[[weclip.Segmentation, Control], Values]] = {
    "BrushLabels": brushes,
    "PolygonLabels": polygons,
    "Choices": choices,
}


def classes(found: weclip.Segmentation, control: Control) -> list[Any]:
    """The classes in an image that a tag has labels for, the largest first."""
    return [each for each in found.classes if each.id and each.name in control.labels]
