"""Decoded images kept on disk, so that later epochs need not decode them again.

Stage 1, off unless asked for. A folder holds one `.npy` of (H, W, 3) uint8 per image, named after
the image's path, size and time of change: a changed image is decoded anew. Any number of processes
and runs may share a folder; deleting it costs time only.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from weclip.data.batch import TaggedImage
from weclip.data.images.decoding import DECODE_ERRORS, read_image, size_of
from weclip.data.images.reading import PLAIN, Reading, require_pixels
from weclip.system.errors import InputError
from weclip.system.files import write_atomically


class DecodedCache:
    """Reads images as `read_image` does, from the cache where they lie there.

    Args:
        folder: Where decoded images are kept; made if needed.
        reading: How they are read; of another range or other bands they are kept apart.
    """

    def __init__(self, folder: Path, *, reading: Reading = PLAIN) -> None:
        self.folder = folder
        self.reading = reading

    def __call__(self, path: Path) -> Image.Image:
        """The image as RGB; InputError if it cannot be read or not be kept."""
        kept = self._kept(path)
        try:
            image = Image.fromarray(np.load(kept, mmap_mode="r"))
        except (FileNotFoundError, ValueError, EOFError):
            image = read_image(path, reading=self.reading)
        else:
            require_pixels(image.size, self.reading.max_pixels, path)
            return image
        try:
            write_atomically(kept, lambda target: _save(target, image))
        except OSError as error:
            raise InputError(
                f"data.decoded_cache={self.folder}: cannot write ({error.strerror}); "
                "make room there, or leave it out"
            ) from None
        return image

    def bytes_needed(self, images: Sequence[TaggedImage]) -> int:
        """Bytes on disk that all `images` take, from their headers.

        Raises:
            InputError: What is still to be written does not fit on the disk, or the folder cannot
                be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"data.decoded_cache={self.folder}: cannot be made ({error.strerror})"
            ) from None
        needed = missing = 0
        for sample in images:
            size = _decoded_bytes(sample.path, self.reading.max_pixels)
            needed += size
            missing += 0 if self._kept(sample.path).exists() else size
        free = shutil.disk_usage(self.folder).free
        if missing > free:
            raise InputError(
                f"data.decoded_cache={self.folder}: {missing / 1e9:.1f} GB still to be written, "
                f"{free / 1e9:.1f} GB free; choose another disk, or leave it out"
            )
        return needed

    def _kept(self, path: Path) -> Path:
        try:
            state = path.stat()
        except OSError:
            raise InputError(f"{path}: image not found") from None
        text = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
        if self.reading.chooses:
            text += f"|{self.reading.bands}|{self.reading.range}"
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"


def _save(target: Path, image: Image.Image) -> None:
    with target.open("wb") as file:
        np.save(file, np.asarray(image))


def _decoded_bytes(path: Path, max_pixels: int) -> int:
    try:
        size = size_of(path)
        require_pixels(size, max_pixels, path)
        return 3 * size[0] * size[1]
    except DECODE_ERRORS:  # an InputError is one of them
        return 0  # training names it
