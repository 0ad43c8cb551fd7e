"""Names of splits, as people and tools write them: compared without case, by the usual synonyms.

Stage 1. `train`, `Training` and `train2017` are one split, and so are `val`, `valid`, `validation`
and `dev`. A year counts only where both names have one: `train` means `train2014` and `train2017`,
which are not the same.
"""

import re
from functools import lru_cache
from typing import NamedTuple

_SYNONYMS = {
    "train": "train training trn trainset trainingset",
    "val": "val valid validation dev eval evaluation valset validset validationset devset",
    "test": "test testing tst testset testingset",
    "trainval": "trainval trainvalid traindev",
    "trainaug": "trainaug",
    "minival": "minival valminusminival",
    "testdev": "testdev",
    "unlabeled": "unlabeled unlabelled",
}
_CANONICAL = {word: name for name, words in _SYNONYMS.items() for word in words.split()}
_YEAR = re.compile(r"(?:19|20)\d\d$")


class Split(NamedTuple):
    """A split's name taken apart.

    Attributes:
        name: Its usual name, such as `val`; of other splits, the name in lower case.
        year: As `2017` at its end; empty if there is none.
    """

    name: str
    year: str


@lru_cache(maxsize=1024)
def parse_split(text: str) -> Split:
    """Take a name apart, be it that of a usual split or not.

    >>> parse_split("Validation"), parse_split("train_2017"), parse_split("fold 1")
    (Split(name='val', year=''), Split(name='train', year='2017'), Split(name='fold 1', year=''))
    """
    folded = text.strip().casefold()
    joined = re.sub(r"[\W_]+", "", folded)
    found = _YEAR.search(joined)
    year = found.group() if found else ""
    known = _CANONICAL.get(joined.removesuffix(year))
    return Split(folded, "") if known is None else Split(known, year)


def is_split(text: str) -> bool:
    """Whether a name is that of a usual split.

    >>> is_split("val2017"), is_split("Testing"), is_split("trains")
    (True, True, False)
    """
    return parse_split(text).name in _SYNONYMS


def same_split(asked: str, found: str) -> bool:
    """Whether a split that is asked for is the one that a column or folder names.

    >>> same_split("val", "Valid"), same_split("train", "train2017"), same_split("test", "val")
    (True, True, False)
    >>> same_split("train2014", "train2017")
    False
    """
    one, other = parse_split(asked), parse_split(found)
    return one.name == other.name and ("" in (one.year, other.year) or one.year == other.year)
