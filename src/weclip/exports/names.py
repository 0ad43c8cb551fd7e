"""Names that an export cannot hold, refused before any mask is made.

CVAT reads lists of names, one a line, and writes XML with them; Label Studio's interface is XML,
which holds no control characters.
"""

import re
from collections.abc import Callable, Collection, Sequence

from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

LIST = "ImageSets/Segmentation/default.txt"
"""The list of images in CVAT's zip."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML does not hold, and what no tool shows; a line break, too."""

_WAY_OUT = "rename it, or leave the export out"


def require_names(exports: Collection[str], classes: Sequence[str], images: Sequence[str]) -> None:
    """InputError for the first name that one of the exports cannot hold."""
    for export in exports:
        for name in classes:
            if reason := _CLASSES.get(export, _fits)(name):
                raise InputError(
                    f"--export {export}: the class {short(name)} has {reason}; {_WAY_OUT}"
                )
        for name in images:
            if reason := _IMAGES.get(export, _fits)(name):
                raise InputError(
                    f"--export {export}: the image {short(name)} has {reason}; {_WAY_OUT}"
                )


def _fits(name: str) -> str:
    return ""


def _cvat_class(name: str) -> str:
    if ":" in name or name.startswith("#"):
        return "':' or '#' at the front, which labelmap.txt cannot hold"
    return _xml_text(name)


def _cvat_image(name: str) -> str:
    if name != name.strip() or name.startswith("#"):
        return f"a space at an end or '#' at the front, which {LIST} cannot hold"
    return _xml_text(name)


def _xml_text(name: str) -> str:
    return "a control character or line break, which XML cannot hold" * bool(_CONTROL.search(name))


_CLASSES: dict[str, Callable[[str], str]] = {"cvat": _cvat_class, "label-studio": _xml_text}
_IMAGES: dict[str, Callable[[str], str]] = {"cvat": _cvat_image}
