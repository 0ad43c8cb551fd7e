"""Class names and prompts that say the same, or that CLIP cannot read: said before training.

Stage 1, for `weclip check`. Pure functions of a class list; what counts tokens is passed in, since
CLIP's tokenizer belongs to a later stage.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from typing import Literal

from weclip.data.classes import ClassList

NAME_KINDS: dict[str, tuple[Literal["warning"], str]] = {
    "similar_names": (
        "warning",
        "classes that say nearly the same to CLIP; if they are one class, give it one name in all "
        "tags, otherwise tell CLIP the difference with 'prompts:' in dataset.yaml or the class "
        "list",
    ),
    "background_classes": (
        "warning",
        "classes that are background words too, so they compete with themselves; take the word out "
        "of 'background_words:' in dataset.yaml or the class list, and tell other things of that "
        "name apart with 'prompts:'",
    ),
    "long_prompts": (
        "warning",
        "prompts that are longer than CLIP reads, the rest is cut off; shorten them under "
        "'prompts:' in dataset.yaml or the class list",
    ),
    "foreign_names": (
        "warning",
        "names that CLIP hardly knows, since it learnt English words; give English 'prompts:' in "
        "dataset.yaml or the class list, the names can stay",
    ),
}
"""Every finding on names: how serious it is, and what it says."""

CONTEXT = 77  # tokens of a prompt that CLIP reads, start and end counted
MAX_PIECES = 4  # of a word; English nouns have one or two
MIN_TYPO = 5  # letters of a word; shorter ones that differ by one are other words (cat, car)
IRREGULAR = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "mouse": "mice",
    "goose": "geese",
    "foot": "feet",
    "tooth": "teeth",
}
SHOWN = 40  # characters of a prompt in a message

CountTokens = Callable[[str], int]


def name_warnings(
    classes: ClassList,
    count_tokens: CountTokens,
    *,
    templates: Sequence[str] = ("{}",),
    context: int = CONTEXT,
) -> dict[str, list[str]]:
    """What is odd about the names of a class list.

    Args:
        classes: Names, prompts and background words.
        count_tokens: Tokens of a text, start and end counted, such as
            `weclip.backbones.clip.tokenizer.count_tokens`.
        templates: Texts with one `{}`, where a prompt goes.
        context: Tokens that CLIP reads, start and end counted.

    Returns:
        Keys of `NAME_KINDS` with a text for each thing found; empty if nothing was.
    """
    found = {
        "similar_names": list(similar_names(classes, count_tokens)),
        "background_classes": list(background_classes(classes)),
        "long_prompts": list(long_prompts(classes, count_tokens, templates, context)),
        "foreign_names": list(foreign_names(classes, count_tokens)),
    }
    return {kind: texts for kind, texts in found.items() if texts}


def similar_names(classes: ClassList, count_tokens: CountTokens) -> Iterator[str]:
    """Pairs of classes with prompts, by default their names, that differ by next to nothing."""
    prompts = [[plain(prompt) for prompt in each] for each in classes.prompts]
    for (one, its), (other, others) in combinations(zip(classes.names, prompts, strict=True), 2):
        for a, b in product(its, others):
            if how := same_but_for(a, b, count_tokens):
                said = "" if (a, b) == (plain(one), plain(other)) else f" in their prompts, {a}"
                yield f"{one} and {other} differ only {how}{said}"
                break


def same_but_for(one: str, other: str, count_tokens: CountTokens) -> str:
    """By what two plain texts that are probably one differ; an empty text where they are two."""
    joined = one.replace(" ", ""), other.replace(" ", "")
    if one == other or (joined[0] == joined[1] and not re.search(r"\d", one)):  # 1.5 is not 15
        return "by case, spaces or signs"
    if is_plural(one, other) or is_plural(other, one):
        return "as one and many"
    words, others = one.split(), other.split()
    if len(words) != len(others):
        return ""
    unequal = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    return "by a letter" if len(unequal) == 1 and is_typo(*unequal[0], count_tokens) else ""


def is_typo(one: str, other: str, count_tokens: CountTokens) -> bool:
    """Whether two words differ by a letter and one of them is no word that CLIP has whole.

    Words such as house and mouse are whole tokens of its vocabulary; bicyle is not.
    """
    if min(len(one), len(other)) < MIN_TYPO or not (one + other).isalpha():
        return False
    if not (is_latin(one + other) and one_edit(one, other)):
        return False
    return max(count_tokens(one), count_tokens(other)) > count_tokens("a")


def one_edit(one: str, other: str) -> bool:
    """Whether a letter was left out, added, replaced, or swapped with the next.

    >>> one_edit("bicycle", "bicyle"), one_edit("chair", "hcair"), one_edit("dog", "god")
    (True, True, False)
    """
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return abs(len(one) - len(other)) == 1
    a, b = one[start:], other[start:]
    swapped = a[:2] == b[1::-1] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]


def is_plural(one: str, many: str) -> bool:
    """Whether the last word of `many` is an English plural of that of `one`, the rest being equal.

    >>> is_plural("wine glass", "wine glasses"), is_plural("fly", "flies"), is_plural("cat", "car")
    (True, True, False)
    """
    *before, noun = one.split() or [""]
    forms = [IRREGULAR.get(noun, noun + "s"), noun + "s"]
    if re.search(r"(s|x|z|ch|sh|o)$", noun):
        forms.append(noun + "es")
    if re.search(r"[^aeiou]y$", noun):
        forms.append(noun[:-1] + "ies")
    if re.search(r"(f|fe)$", noun):
        forms.append(re.sub(r"fe?$", "ves", noun))
    return bool(noun) and many in {" ".join([*before, form]) for form in forms}


def background_classes(classes: ClassList) -> Iterator[str]:
    """Classes whose name or prompt is also a background word, in one or many."""
    words = [(word, plain(word)) for word in classes.background_words]
    for name, prompts in zip(classes.names, classes.prompts, strict=True):
        texts = dict.fromkeys(plain(text) for text in (name, *prompts))
        for word, short in words:
            if any(t == short or is_plural(t, short) or is_plural(short, t) for t in texts):
                yield f"{name} is the background word {word}"


def long_prompts(
    classes: ClassList, count_tokens: CountTokens, templates: Sequence[str], context: int
) -> Iterator[str]:
    """Prompts, in their longest template, of more tokens than CLIP reads."""
    for name, prompts in zip(classes.names, classes.prompts, strict=True):
        for prompt in prompts:
            tokens = max(count_tokens(each.format(prompt)) for each in templates)
            if tokens > context:
                yield (
                    f"{name}: {shortened(prompt)} has {tokens} tokens, {context} are read and "
                    f"{tokens - context} cut off"
                )


def foreign_names(classes: ClassList, count_tokens: CountTokens) -> Iterator[str]:
    """Classes with a prompt that CLIP hardly reads: another script, or cut into many pieces."""
    for name, prompts in zip(classes.names, classes.prompts, strict=True):
        for prompt in prompts:
            if is_foreign(prompt, count_tokens):
                yield f"{name}: {shortened(prompt)} is {count_tokens(prompt) - 2} pieces to CLIP"
                break


def is_foreign(prompt: str, count_tokens: CountTokens) -> bool:
    """Whether most letters are not Latin, or a word has more than `MAX_PIECES` pieces."""
    letters = [letter for letter in prompt if letter.isalpha()]
    if 2 * sum(not is_latin(letter) for letter in letters) > len(letters):
        return True
    words = re.findall(r"\w+", prompt)
    return any(count_tokens(word) - 2 > MAX_PIECES for word in words)


def is_latin(text: str) -> bool:
    """Whether all letters are Latin, accents allowed."""
    return all(unicodedata.name(c, "").startswith("LATIN") for c in text if c.isalpha())


def plain(text: str) -> str:
    """Lower case, compatible forms of characters, single spaces for signs that mean little.

    Names of signs alone, such as emoji, are kept.

    >>> plain("Fire-Hydrant_ (old)")
    'fire hydrant old'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"[^\W_]+|[+#&%]", folded)) or folded.strip()


def shortened(text: str) -> str:
    """A text in quotes, at most `SHOWN` characters of it."""
    return f"'{text}'" if len(text) <= SHOWN else f"'{text[:SHOWN]}...'"
