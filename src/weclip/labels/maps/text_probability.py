"""Text-probability maps: what share of a patch the image's tags have, beside background words.

Stage 3. The reading of CorrCLIP (Zhang et al., ICCV 2025) where tags are known: a softmax over the
words of the tags and of the background, in which the background has the score of its best word.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclip.labels.banks.embedded import Embedded, of_blocks
from weclip.labels.tag_slots import TagSlots
from weclip.labels.view import View
from weclip.parts import map_source, setting


@map_source("text_probability")
@dataclass(frozen=True, kw_only=True)
class TextProbability:
    """Probabilities of patches among tags and background words; nothing is scaled (CorrCLIP)."""

    reads: ClassVar = ("embedding",)
    shares: ClassVar = True

    self_self_blocks: int = setting(
        5, source="ExCEL, released code; of the embedding of patches", above=0, most=1000
    )
    scale: float = setting(40.0, source="CorrCLIP, released code; factor of cosines", above=0)

    def __call__(self, view: View, slots: TagSlots) -> Tensor:
        """Shares (B, K, h, w) in [0, 1]; 0 in empty slots."""
        return shares_of(view.embedding(self.self_self_blocks), view, slots, self.scale)

    def embedded(self, view: View) -> Embedded:
        """Patches after self-self attention."""
        return Embedded(view.patch_embedding(self.self_self_blocks), view.patch_grid)

    @property
    def embedding_name(self) -> str:
        """As in `Embedder`."""
        return of_blocks(self.self_self_blocks)


def shares_of(made: Embedded, view: View, slots: TagSlots, scale: float) -> Tensor:
    """Shares (B, K, h, w) of the tags at each patch."""
    shares = tag_shares(made.rows, slots, view.class_text, view.background_text, scale=scale)
    return torch.unflatten(shares, 2, made.patch_grid)


@torch.no_grad()
def tag_shares(
    embedding: Tensor,
    slots: TagSlots,
    class_text: Tensor,
    background_text: Tensor,
    *,
    scale: float,
) -> Tensor:
    """What the tags have of each place; the rest is background's.

    A softmax over the words of the tags and of the background; the background's score is that of
    its best word. The scores of a place are divided by their sum, which changes no decision.

    Args:
        embedding: (B, N, J), of any length.
        slots: The tags.
        class_text: (C-1, J) unit rows.
        background_text: (G, J) unit rows; without any, the tags have all of it.
        scale: Factor of the products.

    Returns:
        (B, K, N) in [0, 1], whose sum over the tags is at most 1; 0 in empty slots.
    """
    rows = scale * embedding.float()
    tags = torch.einsum("bnj,bkj->bkn", rows, class_text[slots.index])
    tags = tags.masked_fill(~slots.filled[..., None], -torch.inf)
    if len(background_text):
        background = (rows @ background_text.T).amax(dim=-1)[:, None]  # (B, 1, N)
    else:
        background = tags.new_full((len(tags), 1, tags.shape[2]), -torch.inf)
        background = background.where(slots.filled.any(dim=1)[:, None, None], 0)
    return torch.cat([background, tags], dim=1).softmax(dim=1)[:, 1:]
