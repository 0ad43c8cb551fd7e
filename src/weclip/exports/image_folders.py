"""Folders of images and masks: FiftyOne's image segmentation directory, and Hugging Face's."""

import json
from hashlib import sha256
from pathlib import Path

from weclip.data.batch import IGNORE_INDEX
from weclip.exports.labelled import Labelled, link_image, write_grey, write_lines
from weclip.system.files import sha256_of, write_folder_atomically, write_json, write_text

FIFTYONE_NAME = "fiftyone"
HUGGING_FACE_NAME = "huggingface"

_CARD = """\
---
configs:
  - config_name: weclip-{digest}
    data_files:
      - split: train
        path: ["metadata.jsonl", "images/**", "labels/**"]
---
Masks of `weclip label`; `id2label.json` names their ids.
"""


def export_fiftyone(labelled: Labelled) -> Path:
    """Write `fiftyone/`: `data/` (hard links), `labels/` (8-bit ids), `mask_targets.json`.

    Returns:
        The folder.
    """

    def write(folder: Path) -> None:
        for image, mask in labelled.masks():
            link_image(image, folder / "data" / image.file_name)
            write_grey(folder / "labels" / f"{image.name}.png", mask)
        write_json(folder / "mask_targets.json", _names(labelled))

    return write_folder_atomically(labelled.out / FIFTYONE_NAME, write)


def export_hugging_face(labelled: Labelled) -> Path:
    """Write `huggingface/`: `images/` (hard links), `labels/`, `metadata.jsonl`, `id2label.json`.

    The card in `README.md` keeps words such as `val` in names from making splits. Its configuration
    is named after a digest of all that is in the folder: `datasets` keeps what it has loaded under
    the folder's last name and that of the configuration, so that one export would stand for
    another.

    Returns:
        The folder.
    """

    target = labelled.out / HUGGING_FACE_NAME

    def write(folder: Path) -> None:
        rows = []
        digest = sha256()
        for image, mask in labelled.masks():
            files = {
                "file_name": f"images/{image.file_name}",
                "label_file_name": f"labels/{image.name}.png",
            }
            link_image(image, folder / files["file_name"])
            write_grey(folder / files["label_file_name"], mask)
            rows.append(json.dumps({**files, "confidence": image.confidence}, ensure_ascii=False))
            parts = (
                rows[-1],
                mask.shape,
                sha256_of(image.path),
                sha256(mask.tobytes()).hexdigest(),
            )
            digest.update(repr(parts).encode())
        write_lines(folder / "metadata.jsonl", rows)
        write_json(folder / "id2label.json", _names(labelled))
        digest.update(repr(_names(labelled)).encode())
        write_text(folder / "README.md", _CARD.format(digest=digest.hexdigest()[:16]))

    return write_folder_atomically(target, write)


def _names(labelled: Labelled) -> dict[str, str]:
    """Names by id; 255 too."""
    names = enumerate(labelled.classes.names_with_background)
    return {str(i): name for i, name in names} | {str(IGNORE_INDEX): labelled.unsure}
