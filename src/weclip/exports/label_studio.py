"""Masks as predictions of Label Studio: brush regions in its run-length code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import IGNORE_INDEX
from weclip.data.masks.colours import VOID_COLOUR
from weclip.exports.labelled import Labelled, LabelledImage, Mask, foreground, write_lines
from weclip.system.files import write_folder_atomically, write_text

LABEL_STUDIO_NAME = "label-studio"
IMAGE_URL = "/data/local-files/?d="
"""Address of a local file in Label Studio; the path below its document root follows."""

_RUN_BITS = (3, 4, 8, 16)
_HEADER = "".join((f"{8 - 1:05b}", *(f"{bits - 1:04b}" for bits in _RUN_BITS)))


def export_label_studio(labelled: Labelled) -> Path:
    """Write `label-studio/tasks.json` and the project's interface, `labels.xml`.

    A task's score is the mask's confidence; unsure pixels have a label of their own.

    Returns:
        The folder.
    """

    def write(folder: Path) -> None:
        write_lines(folder / "tasks.json", _lines(labelled))
        write_text(folder / "labels.xml", _interface(labelled))

    return write_folder_atomically(labelled.out / LABEL_STUDIO_NAME, write)


def brush_code(region: NDArray[np.bool_]) -> list[int]:
    """Bytes of a region (H, W) as Label Studio keeps it: RGBA of 255 or 0, in runs.

    After the number of values (32 bits) and the sizes of a value and of four lengths, each run is
    a bit 1, which of the lengths (2 bits), the length less one, and the value (8 bits).
    """
    flat = region.ravel()
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    lengths = 4 * np.diff(starts, append=flat.size)
    bits = [f"{4 * flat.size:032b}", _HEADER]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        value = "11111111" if flat[start] else "00000000"
        for first in range(0, length, 1 << _RUN_BITS[-1]):
            more = min(length - first, 1 << _RUN_BITS[-1]) - 1
            which = next(i for i, size in enumerate(_RUN_BITS) if more < 1 << size)
            bits.append(f"1{which:02b}{more:0{_RUN_BITS[which]}b}{value}")
    packed = np.packbits(np.frombuffer("".join(bits).encode(), np.uint8) == ord("1"))
    return [int(byte) for byte in packed]


def _lines(labelled: Labelled) -> Iterator[str]:
    """A list of tasks, one a line."""
    yield "["
    for number, (image, mask) in enumerate(labelled.masks()):
        yield ("," if number else "") + json.dumps(_task(labelled, image, mask))
    yield "]"


def _task(labelled: Labelled, image: LabelledImage, mask: Mask) -> dict[str, Any]:
    names = labelled.classes.names
    regions = [(names[i - 1], mask == i) for i in foreground(mask)]
    if (mask == IGNORE_INDEX).any():
        regions.append((labelled.unsure, mask == IGNORE_INDEX))
    result = [
        {
            "id": f"region-{number}",
            "type": "brushlabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": image.size[1],
            "original_height": image.size[0],
            "image_rotation": 0,
            "value": {"format": "rle", "rle": brush_code(region), "brushlabels": [name]},
        }
        for number, (name, region) in enumerate(regions, 1)
    ]
    prediction = {
        "model_version": f"weclip {labelled.method}",
        "score": image.confidence,
        "result": result,
    }
    return {"data": {"image": IMAGE_URL + quote(image.file)}, "predictions": [prediction]}


def _interface(labelled: Labelled) -> str:
    pairs = [*zip(labelled.classes.names, labelled.classes.colours, strict=True)]
    rows = "".join(
        f'    <Label value={quoteattr(name)} background="#{r:02x}{g:02x}{b:02x}"/>\n'
        for name, (r, g, b) in [*pairs, (labelled.unsure, VOID_COLOUR)]
    )
    return (
        '<View>\n  <Image name="image" value="$image"/>\n'
        f'  <BrushLabels name="label" toName="image">\n{rows}  </BrushLabels>\n</View>\n'
    )
