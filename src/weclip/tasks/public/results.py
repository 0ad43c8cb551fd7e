"""What the Python functions of the commands give back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weclip.data.inspection.findings import Finding

Record = Mapping[str, Any]


@dataclass(frozen=True)
class CheckResult:
    """What `weclip.check` found.

    Attributes:
        errors: How many kinds of error; training would fail, or learn what is wrong.
        warnings: How many kinds of warning.
        findings: All that was found, errors first: `kind`, `severity`, `text`, `examples`.
        record: Everything, as `weclip check --json` writes it: images and tags of each split,
            findings.
    """

    errors: int
    warnings: int
    findings: tuple[Finding, ...]
    record: Record = field(repr=False)


@dataclass(frozen=True)
class LabelResult:
    """What `weclip.label` made.

    Attributes:
        out: The output folder.
        masks: The folder of masks in it, PNGs of class ids.
        count: How many masks there are, of all shards.
    """

    out: Path
    masks: Path
    count: int


@dataclass(frozen=True)
class TagResult:
    """What `weclip.tag` made.

    Attributes:
        out: The tags file, a CSV.
        count: How many images it has.
        scores: `micro`, `macro` and each class with `precision`, `recall` and more, against the
            data's own tags; None where there are none.
    """

    out: Path
    count: int
    scores: Record | None = field(repr=False)


@dataclass(frozen=True)
class RegionsResult:
    """What `weclip.regions` made.

    Attributes:
        out: The output folder, which `regions.files` reads.
        maps: The folder of id maps in it, PNGs of region numbers.
        count: How many there are, of all shards.
    """

    out: Path
    maps: Path
    count: int


@dataclass(frozen=True)
class MemoryResult:
    """What `weclip.memory` made.

    Attributes:
        out: The bank, which `label.memory` and `tags.memory` read.
        count: How many images it is of.
        rows: How many regions it has.
    """

    out: Path
    count: int
    rows: int


@dataclass(frozen=True)
class EvaluateResult:
    """What `weclip.evaluate` scored.

    Attributes:
        out: The output folder.
        scores: Record by name, such as `Segmentation`: `miou`, `per_class_iou` and what else
            `evaluation.json` holds. Scores are from 0 to 1.
        report: The page; None if it could not be made.
    """

    out: Path
    scores: Mapping[str, Record] = field(repr=False)
    report: Path | None


@dataclass(frozen=True)
class PredictResult:
    """What `weclip.predict` made.

    Attributes:
        out: The output folder.
        masks: The folder of label maps in it, PNGs of class ids.
        count: How many there are.
        skipped: What is wrong with images that have none.
    """

    out: Path
    masks: Path
    count: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class ExportResult:
    """What `weclip.export` wrote, and how far it is from the model.

    Attributes:
        path: The file.
        size: In bytes.
        shapes: On how many sizes and numbers of images it was compared.
        largest: The largest difference of a logit; 0 for class ids.
        equal: The least share of pixels with the same class.
    """

    path: Path
    size: int
    shapes: int
    largest: float
    equal: float


@dataclass(frozen=True)
class BundleResult:
    """What `weclip.bundle` made.

    Attributes:
        out: The folder, which `weclip.load` reads wherever it is moved.
        size: Of all files, in bytes.
    """

    out: Path
    size: int


@dataclass(frozen=True)
class PushResult:
    """What `weclip.push` sent.

    Attributes:
        repository: `owner/name`; `weclip.load("hf:owner/name")` reads it.
        commit: Its commit; `hf:owner/name@COMMIT` stays what it is.
        url: Its page.
    """

    repository: str
    commit: str
    url: str
