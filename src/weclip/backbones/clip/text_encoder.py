"""CLIP's tokenizer and text transformer, frozen: from prompts to unit text features.

Stage 2. The merge table is data (`bpe_merges.txt.gz`, OpenAI, MIT licence); Hugging Face
`tokenizers` runs it.
"""

import gzip
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import HEAD_WIDTH, count_blocks
from weclip.backbones.transformer import Frozen, LayerNorm, Transformer, normal

START, END = 49406, 49407
WORD_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@cache
def clip_tokenizer() -> Tokenizer:
    """CLIP's byte-pair tokenizer of cleaned text (`clean`), without start and end tokens."""
    packed = resources.files("weclip.backbones.clip").joinpath("bpe_merges.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    merges = [(left, right) for left, right in map(str.split, lines)]
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


def tokenize(prompts: Sequence[str], context: int = 77) -> Tensor:
    """Token ids (P, context) int64 of P prompts: start, words, end, zeros.

    Longer prompts are cut so that the end token stays last.

    >>> tokenize(["a cat"])[0, :5].tolist()
    [49406, 320, 2368, 49407, 0]
    """
    ids = torch.zeros(len(prompts), context, dtype=torch.int64)
    encodings = clip_tokenizer().encode_batch([clean(prompt) for prompt in prompts])
    for row, encoding in zip(ids, encodings, strict=True):
        words = [START, *encoding.ids[: context - 2], END]
        row[: len(words)] = torch.tensor(words)
    return ids


class ClipTextEncoder(Frozen):
    """OpenAI text transformer with a causal mask.

    Args:
        width: Channels.
        blocks: Number of blocks.
        vocabulary: Number of token rows.
        context: Tokens per prompt.
        joint_size: Channels J of the joint space.
    """

    def __init__(
        self, *, width: int, blocks: int, vocabulary: int, context: int, joint_size: int
    ) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(
            vocabulary, width, _weight=normal(vocabulary, width, std=1.0)
        )
        self.positional_embedding = nn.Parameter(normal(context, width, std=0.01))
        self.transformer = Transformer(width, blocks, max(1, width // HEAD_WIDTH))
        self.ln_final = LayerNorm(width)
        self.text_projection = nn.Parameter(normal(width, joint_size, std=width**-0.5))
        self.freeze()

    @property
    def context(self) -> int:
        """Tokens per prompt."""
        return self.positional_embedding.shape[0]

    def forward(self, token_ids: Tensor) -> Tensor:
        """Text features (P, J) of unit length from token ids (P, T), T up to the context."""
        length = token_ids.shape[1]
        x = self.token_embedding(token_ids) + self.positional_embedding[:length]  # (P, T, width)
        causal = torch.full((length, length), -torch.inf, device=x.device, dtype=x.dtype).triu(1)
        x = self.ln_final(self.transformer(x, causal))
        at_end = x[torch.arange(len(x), device=x.device), token_ids.argmax(dim=-1)]
        return nn.functional.normalize(at_end @ self.text_projection, dim=-1)

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Text features (P, J) of unit length, one row per prompt."""
        device = self.positional_embedding.device
        ids = tokenize(prompts, self.context).to(device)
        features: Tensor = self(ids[:, : int((ids != 0).sum(dim=1).max())])  # later ones are masked
        return features


def build_text_encoder(state: Mapping[str, Tensor]) -> ClipTextEncoder:
    """Make the text encoder that fits an OpenAI-layout state dict, and load it."""
    text = {key: value for key, value in state.items() if not key.startswith("visual.")}
    text.pop("logit_scale", None)
    vocabulary, width = text["token_embedding.weight"].shape
    encoder = ClipTextEncoder(
        width=width,
        blocks=count_blocks(text),
        vocabulary=vocabulary,
        context=text["positional_embedding"].shape[0],
        joint_size=text["text_projection"].shape[1],
    )
    encoder.load_state_dict(text)
    return encoder
