"""Masks on disk: index PNGs of class ids, and the PASCAL colours they are shown in.

Stage 1 for evaluation, and the file format of predictions. Training never imports this module.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from weclip.data.batch import IGNORE_INDEX
from weclip.data.colours import VOC_COLOURS
from weclip.data.images import DECODE_ERRORS
from weclip.errors import InputError
from weclip.files import write_atomically


def read_mask(path: str | Path, *, num_classes: int | None = None) -> npt.NDArray[np.uint8]:
    """Read an index PNG.

    Args:
        path: A palette or greyscale PNG of class ids; 255 is ignored.
        num_classes: C; every id must be below it or 255. None: ids are not checked.

    Returns:
        (H, W) uint8 class ids.

    Raises:
        InputError: The file is missing or broken, holds colours instead of ids, or ids that the
            class list does not have.
    """
    try:
        with Image.open(path) as image:
            if image.format != "PNG" or image.mode not in ("P", "L"):
                raise InputError(
                    f"{path}: a mask must be a palette or 8-bit greyscale PNG of class ids; this "
                    f"is {image.format} with mode {image.mode}; save the ids, not their colours"
                )
            mask = np.array(image, dtype=np.uint8)  # (H, W)
    except FileNotFoundError:
        raise InputError(f"{path}: mask not found") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: mask is not a PNG file") from None
    except InputError:
        raise
    except (*DECODE_ERRORS, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: mask is broken ({error})") from None
    if num_classes is not None:
        require_known_ids(mask, num_classes, path)
    return mask


def require_known_ids(mask: npt.NDArray[np.uint8], num_classes: int, path: str | Path) -> None:
    """Raise InputError if the mask read from `path` has an id from `num_classes` on, but 255."""
    ids = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    unknown = [int(i) for i in ids if num_classes <= i != IGNORE_INDEX]
    if unknown:
        raise InputError(
            f"{path}: mask has class ids {unknown}; allowed are 0 to {num_classes - 1} and "
            f"{IGNORE_INDEX} (ignore); is this the right class list?"
        )


def save_mask(
    mask: npt.NDArray[np.uint8],
    path: str | Path,
    palette: npt.NDArray[np.uint8] = VOC_COLOURS,
) -> None:
    """Write class ids as a palette PNG; the file appears whole or not at all.

    Missing parent folders are made.

    Args:
        mask: (H, W) uint8 class ids.
        path: The PNG.
        palette: (256, 3) colours by class id; PASCAL's if left out.

    Raises:
        ValueError: `mask` is not a two-dimensional uint8 array.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"mask must be (H, W) uint8, not {mask.shape} {mask.dtype}")
    image = Image.fromarray(mask)
    image.putpalette(palette.tobytes())
    write_atomically(Path(path), lambda temporary: image.save(temporary, format="PNG"))
