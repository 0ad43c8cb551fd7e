"""Which files are images: one list, made of what the installed Pillow decodes.

Stage 1. A file is taken for an image by its suffix. What Pillow opens but is no picture, or would
start another program (PostScript), is left out. `pillow-heif` is used where it is installed.
"""

import importlib
from contextlib import suppress
from os import PathLike
from pathlib import PurePath

from PIL import Image, features

_NO_PICTURES = frozenset("PDF EPS WMF MPEG FLI HDF5 GRIB BUFR IPTC MCIDAS PALM".split())
"""Documents, drawings, films and containers of data, some of which start programs."""

_BY_CONTENT = tuple("JPEG PNG BMP GIF TIFF WEBP AVIF JPEG2000 HEIF QOI".split())
"""Told by a file's first bytes under any suffix; the others only under their own, since their first
bytes say too little."""

_OPTIONAL = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}
"""Formats that Pillow may have been built without -> what `features.check` calls them."""

_OPENED_AS = {"MPO": "JPEG"}
"""Formats that Pillow opens under the name of another."""

_HEIF = "needs the package pillow-heif (pip install pillow-heif); or save it as JPEG"
_RAW = "a raw file of a camera; develop it, to JPEG or PNG"
_DRAWING = "a drawing or document; save it as PNG"
_FILM = "a film; save its frames as JPEG or PNG"
_OTHER = "not read by the installed Pillow; save it as PNG"
_ADVICE = {
    _HEIF: ".heic .heics .heif .heifs .hif",
    _RAW: ".cr2 .cr3 .nef .nrw .arw .srf .sr2 .dng .raf .orf .rw2 .pef .srw .raw .x3f .erf .kdc",
    _DRAWING: ".svg .svgz .eps .ps .pdf .ai .wmf .emf .cdr .djvu",
    _FILM: ".mp4 .mov .avi .mkv .webm .mpg .mpeg .m4v .wmv .flv .fli .flc .3gp .mts .m2ts .ogv",
    _OTHER: ".avif .avifs .webp .jp2 .j2k .jxl .jxr .wdp .hdr .exr .xcf .kra .dcm .nii .heci .qoi",
}


def _use_heif() -> None:
    """Let Pillow read HEIC and HEIF, where the package for it is installed."""
    with suppress(ImportError, AttributeError):
        importlib.import_module("pillow_heif").register_heif_opener()


def _formats_by_suffix() -> dict[str, str]:
    """Lower-case suffix -> format, of all pictures that the installed Pillow decodes."""
    Image.init()
    _use_heif()
    missing = {kind for kind, name in _OPTIONAL.items() if not features.check(name)}
    found = {
        suffix.lower(): _OPENED_AS.get(kind, kind)
        for suffix, kind in Image.registered_extensions().items()
        if kind not in _NO_PICTURES and kind not in missing
    }
    return {suffix: kind for suffix, kind in sorted(found.items()) if kind in Image.OPEN}


FORMAT_OF = _formats_by_suffix()
"""Lower-case suffix -> Pillow's name of the format."""

IMAGE_SUFFIXES = tuple(FORMAT_OF)

UNREAD_SUFFIXES = {
    suffix: advice
    for advice, suffixes in _ADVICE.items()
    for suffix in suffixes.split()
    if suffix not in FORMAT_OF
}
"""Lower-case suffix of pictures and films that are not read -> why, and what to do."""

USUAL = "JPEG, PNG, WebP, TIFF and what else the installed Pillow decodes"
"""The list, for messages."""


def suffix_of(file: str) -> str:
    """The suffix of a path, in lower case, with its dot; empty if there is none."""
    name = file.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def is_image(file: str) -> bool:
    """Whether a file name has the suffix of an image that is read.

    >>> is_image("a/1.JPG"), is_image("1.jfif"), is_image("1.pdf"), is_image(".jpg")
    (True, True, False, False)
    """
    return suffix_of(file) in FORMAT_OF


def why_unread(file: str) -> str | None:
    """Why a picture of this name is not read; None if it is, or is no picture.

    >>> why_unread("1.svg")
    'a drawing or document; save it as PNG'
    """
    return UNREAD_SUFFIXES.get(suffix_of(file))


def formats_for(path: str | PathLike[str]) -> tuple[str, ...]:
    """The formats that a file of this name may have."""
    own = FORMAT_OF.get(PurePath(path).suffix.lower())
    known = tuple(kind for kind in _BY_CONTENT if kind in Image.OPEN)
    return known if own is None or own in known else (*known, own)
