"""CLIP's tokenizer: from a prompt to the ids of its pieces; and the published templates of prompts.

It needs no PyTorch.

Stage 2. The merge table is data (`bpe_merges.txt.gz`, OpenAI, MIT licence); Hugging Face
`tokenizers` runs it.
"""

import gzip
import unicodedata
from functools import cache
from importlib import resources

from tokenizers import Regex, Tokenizer, models, pre_tokenizers

START, END = 49406, 49407
VOCABULARY = 49408
"""Tokens of the merge table, with start and end."""

CONTEXT = 77
"""Tokens of a prompt, with start and end, in every OpenAI CLIP."""

WORD_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def imagenet_templates() -> tuple[str, ...]:
    """The 80 templates that CLIP was published with for ImageNet; `{}` is where the name goes."""
    file = resources.files("weclip.backbones.clip").joinpath("imagenet_templates.txt")
    return tuple(file.read_text(encoding="utf-8").splitlines())


@cache
def clip_tokenizer() -> Tokenizer:
    """CLIP's byte-pair tokenizer of cleaned text (`clean`), without start and end tokens."""
    merges = merge_table()
    alphabet = byte_alphabet()
    words = [*alphabet, *(c + "</w>" for c in alphabet), *("".join(pair) for pair in merges)]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def merge_table() -> list[tuple[str, str]]:
    """The pairs of pieces that become one, first to last."""
    packed = resources.files("weclip.backbones.clip").joinpath("bpe_merges.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return [(left, right) for left, right in map(str.split, lines)]


def byte_alphabet() -> list[str]:
    """The printable character that stands for each byte, in the order of CLIP's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(rest))]


def clean(prompt: str) -> str:
    """Compose characters (NFC) and lower the case, in this order.

    Python does both, since the lower case of `tokenizers` has no final sigma. Published CLIP also
    repairs broken encodings, quotes and width (`ftfy`) and decodes HTML entities: not done here, so
    that `&amp;` stays five characters. Prompts in plain words have the same ids either way.
    """
    return unicodedata.normalize("NFC", prompt).lower()


def count_tokens(prompt: str) -> int:
    """Tokens of a whole prompt, start and end counted; CLIP reads the first 77 (`CONTEXT`).

    >>> count_tokens("a cat")
    4
    """
    return len(clip_tokenizer().encode(clean(prompt)).ids) + 2
