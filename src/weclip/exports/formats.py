"""The exports by name, and what must hold before any mask is made."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from weclip.exports.coco import export_coco
from weclip.exports.cvat import export_cvat
from weclip.exports.image_folders import export_fiftyone, export_hugging_face
from weclip.exports.label_studio import export_label_studio
from weclip.exports.labelled import Labelled
from weclip.exports.yolo import export_yolo
from weclip.system.errors import InputError, did_you_mean

EXPORTS: dict[str, Callable[[Labelled], Path]] = {
    "coco": export_coco,
    "yolo": export_yolo,
    "cvat": export_cvat,
    "label-studio": export_label_studio,
    "fiftyone": export_fiftyone,
    "huggingface": export_hugging_face,
}


def parse_exports(given: Sequence[str]) -> tuple[str, ...]:
    """Names of exports, each once; several may be in one text, with commas.

    Raises:
        InputError: There is none of a name, or it needs what is not installed.

    >>> parse_exports(["yolo,cvat", "yolo"])
    ('yolo', 'cvat')
    """
    names = tuple(dict.fromkeys(name.strip() for text in given for name in text.split(",")))
    for name in names:
        if name not in EXPORTS:
            hint = did_you_mean(name, EXPORTS) or f"known: {', '.join(EXPORTS)}"
            raise InputError(f"--export {name}: there is none of this name; {hint}")
    if "coco" in names and find_spec("pycocotools") is None:
        raise InputError(
            "--export coco needs pycocotools, not installed here; "
            'pip install "weclip[prepare]", or leave it out'
        )
    return names
