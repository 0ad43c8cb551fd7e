"""How right tags are, where true ones exist: precision, recall and F1.

Stage 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Tags = tuple[int, ...]


@dataclass(frozen=True)
class TagScores:
    """Scores in [0, 1].

    Attributes:
        precision: Share of the given tags that are true.
        recall: Share of the true tags that are given.
        f1: Harmonic mean of both.
    """

    precision: float
    recall: float
    f1: float


def score_tags(
    given: Mapping[str, Tags], true: Mapping[str, Tags], names: Sequence[str]
) -> dict[str, TagScores]:
    """Score tags over the images that both have.

    Args:
        given: Image name -> 0-based class indices.
        true: The same.
        names: Class names.

    Returns:
        `micro`, of all pairs of image and class; `macro`, the mean over the classes that some image
        truly has; and each of those classes by its name.
    """
    pairs = [(set(given[name]), set(true[name])) for name in given if name in true]
    counts = []
    for index in range(len(names)):
        right = sum(index in one and index in other for one, other in pairs)
        found, there = (sum(index in pair[side] for pair in pairs) for side in (0, 1))
        counts.append((right, found, there))
    classes = {
        f"class {name}": _scores(*count)
        for name, count in zip(names, counts, strict=True)
        if count[2]
    }
    totals = [sum(column) for column in zip(*counts, strict=True)]
    each, number = classes.values(), max(1, len(classes))
    macro = TagScores(
        precision=sum(s.precision for s in each) / number,
        recall=sum(s.recall for s in each) / number,
        f1=sum(s.f1 for s in each) / number,
    )
    return {"micro": _scores(*totals), "macro": macro} | classes


def _scores(right: int, found: int, there: int) -> TagScores:
    """Scores of counts; 0 where nothing was found or is there."""
    precision, recall = right / max(1, found), right / max(1, there)
    return TagScores(precision, recall, 2 * right / max(1, found + there))
