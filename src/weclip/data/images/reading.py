"""What the user says of how image files are read.

Stage 1; the keys `data.max_pixels`, `data.bands` and `data.range`.
"""

from dataclasses import dataclass
from os import PathLike

from weclip.system.errors import InputError

MAX_PIXELS = 2 * (2**30 // 4 // 3)
"""178,956,970: Pillow refuses more than twice its `MAX_IMAGE_PIXELS`, a quarter GiB of RGB."""


@dataclass(frozen=True)
class Reading:
    """How image files are read.

    Attributes:
        max_pixels: Width times height of the largest image that is decoded.
        bands: Of a TIFF those that are red, green and blue, counted from 1; None: as they are.
        range: Values that become 0 and 255, of a TIFF or of 16-bit grey; None: those of their type.
    """

    max_pixels: int = MAX_PIXELS
    bands: tuple[int, int, int] | None = None
    range: tuple[float, float] | None = None

    @property
    def chooses(self) -> bool:
        """Whether it says what the values of an image mean."""
        return self.bands is not None or self.range is not None


PLAIN = Reading()
"""As files are read where nothing is said."""


def require_pixels(size: tuple[int, int], max_pixels: int, path: str | PathLike[str]) -> None:
    """Raise InputError if an image of `size` (W, H) has more than `max_pixels`."""
    width, height = size
    if width * height > max_pixels:
        raise InputError(
            f"{path}: too large: {width} x {height} = {width * height} pixels, more than "
            f"data.max_pixels={max_pixels} allows; raise data.max_pixels, or scale the file down"
        )
