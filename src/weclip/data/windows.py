"""An image in windows: what is large is never held for all classes at once.

Stage 1, read by all after it. Maps at patch resolution are small; resized to the image they are as
large as its pixels times their number. So the image is cut into windows of so many numbers, and of
each window only that part is computed.
"""

from collections.abc import Iterator

Window = tuple[slice, slice]
"""Rows and columns of an image."""

NUMBERS = 2**23
"""Numbers of a window, 32 MiB in float32: little beside a large image, and few for a usual one."""

SMALLEST_SIDE = 16
"""Pixels; a window of many classes is not cut finer."""


def windows(size: tuple[int, int], depth: int, most: int = NUMBERS) -> Iterator[Window]:
    """Cut an image into windows of about `most` numbers: bands of rows, and wide bands into blocks.

    Args:
        size: (H, W).
        depth: Numbers of a pixel, such as one for each class.
        most: Numbers of a window.

    >>> [(rows.start, rows.stop, columns.stop) for rows, columns in windows((5, 4), 2, most=16)]
    [(0, 2, 4), (2, 4, 4), (4, 5, 4)]
    """
    height, width = size
    pixels = max(1, most // max(1, depth))
    columns = min(width, max(pixels // SMALLEST_SIDE, SMALLEST_SIDE))
    columns = width if pixels >= width else columns
    rows = max(1, pixels // columns)
    for y in range(0, height, rows):
        for x in range(0, width, columns):
            yield slice(y, min(y + rows, height)), slice(x, min(x + columns, width))


def whole(size: tuple[int, int]) -> Window:
    """The window that is all of an image (H, W)."""
    return slice(0, size[0]), slice(0, size[1])


def widened(window: Window, by: int, size: tuple[int, int]) -> tuple[Window, Window]:
    """A window with `by` more pixels on each side, cut at the image's border (H, W).

    Returns:
        The wide window, and where in it the given one lies.
    """
    wide = tuple(
        slice(max(0, part.start - by), min(whole, part.stop + by))
        for part, whole in zip(window, size, strict=True)
    )
    inner = tuple(
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip(window, wide, strict=True)
    )
    return (wide[0], wide[1]), (inner[0], inner[1])
