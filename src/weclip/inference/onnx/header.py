"""What a model as ONNX says of itself, as one JSON text among its metadata.

Stage 6. `exports/models` writes it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weclip.backbones.named import FrozenBackbone, backbone_of
from weclip.data.class_header import classes_of, header_of
from weclip.data.classes import ClassList
from weclip.system.errors import InputError
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.text import one_line, printable

KEY = "weclip"
"""Of the metadata."""

FORMAT = "weclip-onnx-1"

LOGITS, FULL_LOGITS, LABEL_MAP = OUTPUTS = ("logits", "full_logits", "label_map")
"""What comes out: logits (B, C, h, w) at patch resolution; (B, C, H, W) of the image's size; class
ids (B, H, W) uint8."""

PRECISIONS = ("float32", "float16")


@dataclass(frozen=True)
class OnnxHeader:
    """What a model as ONNX says of itself.

    Attributes:
        classes: Class list it was trained for.
        backbones: The frozen backbones in it, by the method's name for them.
        tested: How it is tested by default: the section `eval` of a configuration.
        data: How its images are read: keys of the section `data`.
        step: Training steps behind it.
        output: One of `OUTPUTS`.
        precision: Of the weights in it: `float32` or `float16`.
        versions: Of what exported it.
        licences: What is known of the licences of what is in it, in words.
    """

    classes: ClassList
    backbones: Mapping[str, FrozenBackbone]
    tested: Mapping[str, Any]
    data: Mapping[str, Any]
    step: int
    output: str
    precision: str
    versions: Mapping[str, str]
    licences: str

    def to_text(self) -> str:
        """The header as JSON."""
        document = {
            "format": FORMAT,
            "classes": header_of(self.classes),
            "backbones": {name: each._asdict() for name, each in self.backbones.items()},
            "eval": dict(self.tested),
            "data": dict(self.data),
            "step": self.step,
            "output": self.output,
            "precision": self.precision,
            "versions": dict(self.versions),
            "licences": self.licences,
        }
        return json.dumps(document, ensure_ascii=False)


def header_from(metadata: Mapping[str, str], path: Path) -> OnnxHeader:
    """The header among the metadata of an ONNX file.

    Raises:
        InputError: There is none, or it is of another version, or damaged.
    """
    if KEY not in metadata:
        raise InputError(f"{path}: an ONNX file, but not one that 'weclip export' wrote")
    try:
        document = parse_json(metadata[KEY], "header")
        if document["format"] != FORMAT:
            found = one_line(repr(document["format"]))
            raise InputError(f"its format is {found}, not '{FORMAT}'; export it again")
        return OnnxHeader(
            classes=classes_of(document["classes"]),
            backbones={
                printable(name): backbone_of(each) for name, each in document["backbones"].items()
            },
            tested=dict(document["eval"]),
            data=dict(document["data"]),
            step=int(document["step"]),
            output=_one_of(OUTPUTS, document["output"]),
            precision=_one_of(PRECISIONS, document["precision"]),
            versions={
                printable(name): printable(version)
                for name, version in document["versions"].items()
            },
            licences=str(document["licences"]),
        )
    except InputError as error:
        raise InputError(f"{path}: {one_line(error)}") from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = one_line(repr(error))
        raise InputError(f"{path}: damaged ONNX model ({reason} in its header)") from None


def _one_of(known: tuple[str, ...], value: object) -> str:
    if value not in known:
        raise ValueError(f"not one of {', '.join(known)}")
    return str(value)
