"""Masks on disk: PNGs of class ids or of class colours.

Stage 1 for evaluation, and the file format of predictions. Training never imports this module.
"""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from weclip.data.bands import bands, ids_in
from weclip.data.batch import IGNORE_INDEX, MaskLabels
from weclip.data.images.decoding import DECODE_ERRORS, decode, open_header
from weclip.data.images.reading import MAX_PIXELS, require_pixels
from weclip.data.masks.colours import VOC_COLOURS, colour_text
from weclip.system.errors import InputError
from weclip.system.files import write_atomically

OWN_IDS = MaskLabels()
Ids = npt.NDArray[np.uint8]
Colours = npt.NDArray[np.uint32]

_OPAQUE = 0xFF000000

_NOTE = "weclip"


def read_mask(
    path: str | Path,
    *,
    labels: MaskLabels = OWN_IDS,
    num_classes: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Ids:
    """Read a mask of ids (palette or 8-bit greyscale PNG) or of colours (RGB or RGBA PNG).

    Args:
        path: The PNG.
        labels: What its ids and colours stand for.
        num_classes: C; every id must be below it or 255. None: ids are not checked.
        max_pixels: Width times height of the largest mask that is decoded.

    Returns:
        (H, W) uint8 class ids; 255 is ignored.

    Raises:
        InputError: The file is missing, broken, too large or of another kind, or has ids or colours
            that stand for nothing.
    """
    pixels = read_pixels(path, labels, max_pixels=max_pixels)
    return class_ids(pixels, path, labels=labels, num_classes=num_classes)


def read_pixels(
    path: str | Path, labels: MaskLabels = OWN_IDS, *, max_pixels: int = MAX_PIXELS
) -> Ids | Colours:
    """Decode a mask without asking what its ids or colours stand for.

    Returns:
        (H, W) uint8 raw ids, or uint32 colours with the bytes red, green, blue, 255.

    Raises:
        InputError: The file is missing, broken or too large, or no mask of ids or opaque colours.
    """
    try:
        with open_header(path) as image:
            if image.format != "PNG" or image.mode not in ("P", "L", "RGB", "RGBA"):
                raise InputError(
                    f"{path}: a mask must be a PNG of class ids (palette or 8-bit greyscale) or of "
                    f"class colours (RGB or RGBA); this is {image.format} with mode {image.mode}"
                )
            require_pixels(image.size, max_pixels, path)
            decode(image)
            if image.mode == "L" or (image.mode == "P" and not labels.palettes_by_colour):
                return np.array(image, dtype=np.uint8)  # (H, W)
            colours: Colours = np.array(image.convert("RGBA")).view("<u4")[..., 0]  # (H, W)
    except FileNotFoundError:
        raise InputError(f"{path}: mask not found") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: mask is not a PNG file") from None
    except InputError:
        raise
    except DECODE_ERRORS as error:
        raise InputError(f"{path}: mask is broken ({error})") from None
    if colours.min() < _OPAQUE:
        raise InputError(
            f"{path}: mask is transparent on {100 * (colours < _OPAQUE).mean():.3g} % of its "
            "pixels; save it without transparency"
        )
    return colours


def class_ids(
    pixels: Ids | Colours, path: str | Path, *, labels: MaskLabels, num_classes: int | None = None
) -> Ids:
    """Give a decoded mask its meaning.

    Args:
        pixels: (H, W) raw ids or colours of `read_pixels`.
        path: The file, for messages.
        labels: What they stand for.
        num_classes: As in `read_mask`.

    Returns:
        (H, W) uint8 class ids; 255 is ignored.

    Raises:
        InputError: An id or colour stands for nothing.
    """
    if pixels.dtype == np.uint8:
        mask = pixels.astype(np.uint8, copy=False)
        if labels.ids:
            mask = _own_ids(mask, _id_table(labels))
    else:
        mask = _ids_of_colours(pixels.astype(np.uint32, copy=False), labels, path)
    if num_classes is not None:
        _require_known_ids(mask, num_classes, path)
    return mask


def _own_ids(raw: Ids, table: Ids) -> Ids:
    """What raw ids (H, W) stand for; NumPy looks up in 64 bits, so some rows at a time."""
    ids = np.empty_like(raw)
    for rows in bands(raw.shape):
        ids[rows] = table[raw[rows]]
    return ids


@cache
def _id_table(labels: MaskLabels) -> Ids:
    """(256,) uint8: what each raw id stands for."""
    table = np.arange(256, dtype=np.uint8)
    for raw, class_id in labels.ids:
        table[raw] = class_id
    return table


@cache
def _colour_table(labels: MaskLabels) -> tuple[Colours, Ids]:
    """Colours, packed and sorted, and what each stands for."""
    packed = {int.from_bytes((*rgb, 255), "little"): class_id for rgb, class_id in labels.colours}
    keys = sorted(packed)
    return np.array(keys, dtype=np.uint32), np.array([packed[k] for k in keys], dtype=np.uint8)


def _ids_of_colours(colours: Colours, labels: MaskLabels, path: str | Path) -> Ids:
    """Look up each run of one colour once: masks are made of few."""
    flat = colours.ravel()
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    lengths = np.diff(starts, append=flat.size)
    known, ids = _colour_table(labels)
    runs = flat[starts]
    place = np.searchsorted(known, runs).clip(max=len(known) - 1)
    unknown = known[place] != runs
    if unknown.any():
        raise _unknown_colours(runs[unknown], lengths[unknown], flat.size, path)
    return np.repeat(ids[place], lengths).reshape(colours.shape)


def _unknown_colours(
    runs: Colours, lengths: npt.NDArray[np.intp], pixels: int, path: str | Path
) -> InputError:
    """What to say of the most frequent of the unknown colours."""
    colours, index = np.unique(runs, return_inverse=True)
    counts = np.bincount(index, weights=lengths)
    first = int(counts.argmax())
    r, g, b, _ = int(colours[first]).to_bytes(4, "little")
    more = f" and {len(colours) - 1} more unknown colours" if len(colours) > 1 else ""
    return InputError(
        f"{path}: mask has the unknown colour {colour_text((r, g, b))}, [{r}, {g}, {b}], on "
        f"{100 * counts[first] / pixels:.3g} % of its pixels{more}; make it the 'colour' of a "
        "class in the class list, or for masks of the data set say in mask_labels what it "
        "stands for"
    )


def _require_known_ids(mask: Ids, num_classes: int, path: str | Path) -> None:
    """Raise InputError if the mask read from `path` has an id from `num_classes` on, but 255."""
    unknown = [i for i in ids_in(mask) if num_classes <= i != IGNORE_INDEX]
    if unknown:
        raise InputError(
            f"{path}: mask has class ids {unknown}; allowed are 0 to {num_classes - 1} and "
            f"{IGNORE_INDEX} (no class); is this the right class list?"
        )


def save_mask(
    mask: npt.NDArray[np.uint8],
    path: str | Path,
    palette: npt.NDArray[np.uint8] | None = VOC_COLOURS,
    note: str | None = None,
) -> None:
    """Write class ids as a palette PNG; the file appears whole or not at all.

    Missing parent folders are made.

    Args:
        mask: (H, W) uint8 class ids.
        path: The PNG.
        palette: (256, 3) colours by class id; PASCAL's if left out; None: grey, no colours.
        note: Text in ASCII that is kept in the file, for `read_note`.

    Raises:
        ValueError: `mask` is not a two-dimensional uint8 array.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"mask must be (H, W) uint8, not {mask.shape} {mask.dtype}")
    image = Image.fromarray(mask)
    if palette is not None:
        image.putpalette(palette.tobytes())
    info = None
    if note is not None:
        info = PngImagePlugin.PngInfo()
        info.add_text(_NOTE, note)
    write_atomically(
        Path(path), lambda temporary: image.save(temporary, format="PNG", pnginfo=info)
    )


def read_note(path: str | Path) -> str | None:
    """The note of a mask of `save_mask`, without decoding it; None if there is no such mask."""
    try:
        with open_header(path) as image:
            note = image.info.get(_NOTE)
    except DECODE_ERRORS:
        return None
    return note if isinstance(note, str) else None
