"""CLIP's text transformer, frozen: from prompts to unit text features.

Stage 2. `tokenizer.py` cuts the prompts.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import count_blocks, hidden_width, openai_settings
from weclip.backbones.clip.tokenizer import CONTEXT, END, START, clean, clip_tokenizer
from weclip.backbones.transformer import BlockSettings, Frozen, LayerNorm, Transformer, normal


def tokenize(prompts: Sequence[str], context: int = CONTEXT) -> Tensor:
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
        settings: How its blocks compute; None for OpenAI's way.
        hidden: Channels of the blocks' wider layer; None for four times the width.
    """

    def __init__(
        self,
        *,
        width: int,
        blocks: int,
        vocabulary: int,
        context: int,
        joint_size: int,
        settings: BlockSettings | None = None,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        settings = settings or openai_settings(width)
        self.token_embedding = nn.Embedding(
            vocabulary, width, _weight=normal(vocabulary, width, std=1.0)
        )
        self.positional_embedding = nn.Parameter(normal(context, width, std=0.01))
        self.transformer = Transformer(width, blocks, settings, hidden)
        self.ln_final = LayerNorm(width, eps=settings.eps)
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


def build_text_encoder(
    state: Mapping[str, Tensor], settings: BlockSettings | None = None
) -> ClipTextEncoder:
    """Make the text encoder that fits an OpenAI-layout state dict, and load it.

    Args:
        state: Float tensors, which become the encoder's; those under `visual.` are passed over.
        settings: How its blocks compute; None for OpenAI's way.
    """
    text = {key: value for key, value in state.items() if not key.startswith("visual.")}
    text.pop("logit_scale", None)
    vocabulary, width = text["token_embedding.weight"].shape
    with torch.device("meta"):  # no numbers are drawn, only to be replaced
        encoder = ClipTextEncoder(
            width=width,
            blocks=count_blocks(text),
            vocabulary=vocabulary,
            context=text["positional_embedding"].shape[0],
            joint_size=text["text_projection"].shape[1],
            settings=settings,
            hidden=hidden_width(text),
        )
    encoder.load_state_dict(text, assign=True)
    return encoder
