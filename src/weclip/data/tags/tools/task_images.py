"""The images of a task of Label Studio: which of its data they are, and which files they may be.

Stage 1. A task knows an image by an address: of a local file, an upload, a bucket or a server.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from weclip.data.images.image_kinds import is_image
from weclip.data.tags.places import file_of, places_of
from weclip.data.tags.reading import RawRow
from weclip.system.errors import InputError
from weclip.system.untrusted.text import listed, short

KEY = "image"


def image_key(data: Mapping[str, Any], where: str) -> str:
    """The key of a task's data whose value is its image, or the list of its pages.

    Raises:
        InputError: There is none, or there are several and none is called image.
    """
    found = [key for key, value in data.items() if _is_address(value)]
    if KEY in data and KEY not in found:
        found = [KEY] if _is_text(data[KEY]) else found
    if KEY in found or len(found) == 1:
        return KEY if KEY in found else found[0]
    if found:
        raise InputError(
            f"{where}: the keys {listed(found)} may all be the image; call one of them image"
        )
    raise InputError(
        f"{where}: no image in it; its keys are {listed(map(str, data))}; one must be called "
        "image, or hold an address that ends as images do"
    )


def addresses(data: Mapping[str, Any], where: str) -> list[str]:
    """The addresses of a task's images: one, or those of its pages.

    Raises:
        InputError: As `image_key`.
    """
    value = data[image_key(data, where)]
    return [value] if isinstance(value, str) else list(value)


def row_of(
    number: int, address: str, tags: Sequence[str], left_out: str | None, where: str
) -> RawRow:
    """The row of an image.

    Raises:
        InputError: The address names no file.
    """
    try:
        file = file_of(address.strip())
    except ValueError as error:
        raise InputError(f"{where}: the address {short(address)}: {error}") from None
    if not file:
        raise InputError(f"{where}: the address {short(address)} names no file")
    spaced = places_of(file.replace("+", " ")) if "+" in file else ()
    return RawRow(number, file, tuple(tags), None, (*places_of(file), *spaced), left_out)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_address(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, str) and _is_address(each) for each in value)
    if not isinstance(value, str) or "\n" in value:
        return False
    try:
        return is_image(file_of(value.strip()))
    except ValueError:
        return True  # no text that looks like an address should pass for something else
