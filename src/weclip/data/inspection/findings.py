"""What a data set holds and what is wrong with it, before anybody trains on it.

Stage 1, for `weclip check`. Pure data: facts of every file (`file_facts.py`) and the tags go in, a
`Report` comes out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.inspection.file_facts import FileFacts
from weclip.data.inspection.kinds import KINDS, Severity
from weclip.data.inspection.mask_content import content_findings

Sample = TaggedImage | MaskedImage
Range = tuple[int, int, int]


@dataclass(frozen=True)
class Finding:
    """Something to know about a data set.

    Attributes:
        kind: A key of `KINDS`.
        examples: One text for each thing found, never empty; an image's starts with its name.
    """

    kind: str
    examples: tuple[str, ...]

    @property
    def severity(self) -> Severity:
        """`error`, `warning` or `information`."""
        return KINDS[self.kind][0]

    @property
    def text(self) -> str:
        """What was found and what to do about it, in a line."""
        return KINDS[self.kind][1]


@dataclass(frozen=True)
class SplitSummary:
    """Numbers of one split.

    Attributes:
        split: Its name.
        images: Number of images.
        tagged: Number of images whose tags are known, be there none of them.
        without_tags: Number of those without a tag.
        class_counts: C-1 numbers of images, by class index.
        pair_counts: Images that have two classes at once, by class indices, most frequent first.
        widths: Smallest, median and largest width of readable images, in pixels, turned upright;
            None if there are none.
        heights: The same of heights.
    """

    split: str
    images: int
    tagged: int
    without_tags: int
    class_counts: tuple[int, ...]
    pair_counts: tuple[tuple[tuple[int, int], int], ...]
    widths: Range | None
    heights: Range | None


@dataclass(frozen=True)
class Report:
    """A whole data set.

    Attributes:
        class_names: C-1 names.
        train: The training split.
        eval: The evaluation split, if there is one.
        findings: Errors first, then warnings, then information.
    """

    class_names: tuple[str, ...]
    train: SplitSummary
    eval: SplitSummary | None
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """How many kinds of finding are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)


@dataclass(frozen=True)
class Splits:
    """The two splits of a configuration, as training reads them.

    Attributes:
        train_name: Name of the training split.
        train: Its images.
        eval_name: Name of the evaluation split, if there is one.
        eval: Its images with masks; empty if it cannot be used.
        no_scores: Why it cannot be used.
        rest: Files that nothing reads and what else was left out, by the kind of finding.
    """

    train_name: str
    train: Sequence[TaggedImage]
    eval_name: str | None = None
    eval: Sequence[MaskedImage] = ()
    no_scores: str | None = None
    rest: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def files(self) -> list[tuple[Path, MaskedImage | None]]:
        """Every image once, with its sample where evaluation reads a mask."""
        masked: dict[Path, MaskedImage | None] = {sample.path: None for sample in self.train}
        masked |= {sample.path: sample for sample in self.eval}
        return list(masked.items())


def make_report(
    splits: Splits,
    facts: Mapping[Path, FileFacts],
    class_names: tuple[str, ...],
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Report:
    """Sum up a data set.

    Args:
        splits: Images, masks and tags.
        facts: What was read, for every image file of `splits.files()`.
        class_names: C-1 names, in the order of their ids.
        extra: What else was found, such as of the names of classes: kind -> examples.
    """
    train = _summary(splits.train_name, splits.train, facts, len(class_names))
    scored = None
    if splits.eval_name is not None and splits.eval:
        scored = _summary(splits.eval_name, splits.eval, facts, len(class_names))
    found = {
        **_file_problems(facts.values()),
        "no_scores": [splits.no_scores] if splits.no_scores else [],
        "duplicate_images": _duplicates(splits.train, facts) + _duplicates(splits.eval, facts),
        **splits.rest,
        **content_findings(splits.eval, _contents(splits, facts), class_names),
        **_image_notes(splits, facts),
        **_class_gaps(train, scored, class_names),
        **(extra or {}),
    }
    if splits.train_name == splits.eval_name:  # on purpose, so neither copies nor leaks
        found["duplicate_images"] = _duplicates(splits.train, facts)
    else:
        found["leaked_images"] = _leaks(splits, facts)
    findings = tuple(Finding(kind, tuple(found[kind])) for kind in KINDS if found.get(kind))
    return Report(class_names, train, scored, findings)


def _summary(
    split: str, samples: Sequence[Sample], facts: Mapping[Path, FileFacts], num_tags: int
) -> SplitSummary:
    tags = [sample.tags for sample in samples if sample.tags is not None]
    counts = Counter(index for each in tags for index in each)
    pairs = Counter(pair for each in tags for pair in combinations(each, 2))
    sizes = [size for s in samples if (size := facts[s.path].size) is not None]
    return SplitSummary(
        split=split,
        images=len(samples),
        tagged=len(tags),
        without_tags=sum(not each for each in tags),
        class_counts=tuple(counts[index] for index in range(num_tags)),
        pair_counts=tuple(sorted(pairs.items(), key=lambda item: (-item[1], item[0]))),
        widths=_range([width for width, _ in sizes]),
        heights=_range([height for _, height in sizes]),
    )


def _contents(splits: Splits, facts: Mapping[Path, FileFacts]) -> dict[Path, frozenset[int]]:
    """Class ids of the masks that can be read."""
    found = {sample.mask: facts[sample.path].mask_ids for sample in splits.eval}
    return {mask: ids for mask, ids in found.items() if ids is not None}


def _range(values: list[int]) -> Range | None:
    """Smallest, median (the upper of two) and largest value."""
    ordered = sorted(values)
    return (ordered[0], ordered[len(ordered) // 2], ordered[-1]) if ordered else None


def _file_problems(facts: Iterable[FileFacts]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in facts:
        for kind, message in each.problems:
            found.setdefault(kind, []).append(message)
    return found


def _image_notes(splits: Splits, facts: Mapping[Path, FileFacts]) -> dict[str, list[str]]:
    """What is to be known of images that can be read, each file once."""
    every: list[Sample] = [*splits.train, *splits.eval]
    samples = {sample.path: sample for sample in every}
    return {
        "untagged_images": [s.name for s in samples.values() if s.tags == ()],
        "dark_images": [s.name for path, s in samples.items() if facts[path].dark],
        "turned_images": [s.name for path, s in samples.items() if facts[path].turned],
        "complaints": [
            f"{s.name}: {facts[path].complaint}"
            for path, s in samples.items()
            if facts[path].complaint and facts[path].size is not None
        ],
    }


def _first_by_content(
    samples: Sequence[Sample], facts: Mapping[Path, FileFacts]
) -> dict[bytes, Sample]:
    """Digest -> first sample with it, of images that can be read."""
    first: dict[bytes, Sample] = {}
    for sample in samples:
        if facts[sample.path].size is not None:
            first.setdefault(facts[sample.path].digest, sample)
    return first


def _duplicates(samples: Sequence[Sample], facts: Mapping[Path, FileFacts]) -> list[str]:
    """Images with the bytes of an earlier one."""
    first = _first_by_content(samples, facts)
    pairs = [(sample, first.get(facts[sample.path].digest)) for sample in samples]
    return [_same(copy, seen) for copy, seen in pairs if seen is not None and seen is not copy]


def _leaks(splits: Splits, facts: Mapping[Path, FileFacts]) -> list[str]:
    """Evaluation images with the bytes of a training image."""
    trained = _first_by_content(splits.train, facts)
    pairs = [(sample, trained.get(facts[sample.path].digest)) for sample in splits.eval]
    return [_same(sample, seen) for sample, seen in pairs if seen is not None]


def _same(copy: Sample, original: Sample) -> str:
    differ = None not in (copy.tags, original.tags) and copy.tags != original.tags
    return f"{copy.name} is {original.name}" + (", with other tags" if differ else "")


def _class_gaps(
    train: SplitSummary, scored: SplitSummary | None, names: tuple[str, ...]
) -> dict[str, list[str]]:
    """Classes that are missing in one or both splits."""
    untrained = [n for n, count in zip(names, train.class_counts, strict=True) if not count]
    if scored is None or scored.tagged < scored.images:  # tags not all known: nothing to compare
        return {"untrained_classes": untrained}
    rows = list(zip(names, train.class_counts, scored.class_counts, strict=True))
    one_sided = [f"{n} (only in {train.split})" for n, here, there in rows if here and not there]
    one_sided += [f"{n} (only in {scored.split})" for n, here, there in rows if there and not here]
    return {"untrained_classes": untrained, "one_sided_classes": one_sided}
