"""The parts of MiT: patch embedding, attention on fewer keys, MLP with a convolution, block.

Stage 2. Tokens (B, N, D) lie row by row on a grid (h, w), which every part is told. Parameter names
are SegFormer's, so that its weights load unchanged. Xie et al., "SegFormer", NeurIPS 2021.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.backbones.dropout import StochasticDepth
from weclip.data.batch import Share

Grid = tuple[int, int]

EPS = 1e-6
"""Of a block's two layer normalisations and of a stage's last."""

EPS_EMBEDDING = 1e-5
"""Of the normalisation after a patch embedding and after the reduction of keys."""


def to_map(tokens: Tensor, grid: Grid) -> Tensor:
    """(B, D, h, w) of tokens (B, N, D), channels last in memory."""
    return torch.unflatten(tokens, 1, grid).permute(0, 3, 1, 2)


def to_tokens(features: Tensor) -> Tensor:
    """(B, N, D) of a map (B, D, h, w)."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


class PatchEmbedding(nn.Module):
    """A convolution that makes a coarser grid, then a normalisation.

    Args:
        in_width: Channels of its input.
        width: Channels D.
        kernel: Pixels per side that a token sees.
        stride: Pixels between tokens.
    """

    def __init__(self, in_width: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_width, width, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(width, eps=EPS_EMBEDDING)

    def forward(self, features: Tensor) -> tuple[Tensor, Grid]:
        """Tokens (B, N, D) and their grid, of a map (B, C, H, W)."""
        x = self.proj(features)
        return self.norm(to_tokens(x)), (x.shape[2], x.shape[3])


class ReducedAttention(nn.Module):
    """Multi-head attention whose keys and values lie on a coarser grid.

    Args:
        width: Channels D.
        heads: Number of heads; divides `width`.
        reduction: Side of a cell of tokens that has one key; rows and columns that do not fill a
            cell are dropped. 1: every token has a key.
    """

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads, self.reduction = heads, reduction
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)  # rows of all keys, then those of all values
        self.proj = nn.Linear(width, width)
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, stride=reduction)
            self.norm = nn.LayerNorm(width, eps=EPS_EMBEDDING)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """Attend with the fused kernel: (B, N, D) of tokens (B, N, D)."""
        query, key, value = self.project(x, grid)
        return self.merge(F.scaled_dot_product_attention(query, key, value))

    def with_scores(self, x: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Attend, and return the scores too.

        Returns:
            The output (B, N, D), and `q k^T` (B, heads, N, N) as it is before the division by
            the root of a head's width and the softmax; in float32 under autocast too, since its
            numbers are of the order of 10 and their differences matter.
        """
        with torch.autocast(x.device.type, enabled=False):
            query, key, value = self.project(x.to(self.q.weight.dtype), grid)
            exact = torch.promote_types(query.dtype, torch.float32)
            scores = query.to(exact) @ key.to(exact).transpose(-2, -1)
        attention = (scores * query.shape[-1] ** -0.5).softmax(dim=-1)
        return self.merge(attention.to(value.dtype) @ value), scores

    def project(self, x: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, heads, N, d), keys and values (B, heads, M, d) of tokens (B, N, D)."""
        seen = self.norm(to_tokens(self.sr(to_map(x, grid)))) if self.reduction > 1 else x
        query = self.q(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        both = self.kv(seen).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return query, both[0], both[1]

    def merge(self, x: Tensor) -> Tensor:
        """Output (B, N, D) of what the heads (B, heads, N, d) gathered."""
        out: Tensor = self.proj(x.transpose(1, 2).flatten(2))
        return out


class DepthwiseConv(nn.Module):
    """A 3 x 3 convolution of every channel by itself.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """Mix each token of (B, N, D) with its eight neighbours."""
        return to_tokens(self.dwconv(to_map(x, grid)))


class ConvMlp(nn.Module):
    """A wider layer, a depthwise convolution on the grid, the exact GELU, and back.

    Args:
        width: Channels D.
        hidden: Channels of the wider layer.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.dwconv = DepthwiseConv(hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """Map tokens (B, N, D)."""
        out: Tensor = self.fc2(F.gelu(self.dwconv(self.fc1(x), grid)))
        return out


class MitBlock(nn.Module):
    """Pre-norm residual block: attention, then the MLP, either left out at random in training.

    Args:
        width: Channels D.
        heads: Of the attention.
        reduction: Of its keys.
        hidden: Channels of the MLP's wider layer.
        drop_path: Chance that a branch of an image is left out.
    """

    def __init__(
        self, width: int, heads: int, reduction: int, hidden: int, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = ReducedAttention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = ConvMlp(width, hidden)
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, x: Tensor, grid: Grid, share: Share | None = None) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        x = x + self.drop_path(self.attn(self.norm1(x), grid), share)
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x), grid), share)
        return out

    def with_scores(
        self, x: Tensor, grid: Grid, share: Share | None = None
    ) -> tuple[Tensor, Tensor]:
        """Map tokens (B, N, D), and return the scores (B, heads, N, N) too."""
        attended, scores = self.attn.with_scores(self.norm1(x), grid)
        x = x + self.drop_path(attended, share)
        return x + self.drop_path(self.mlp(self.norm2(x), grid), share), scores
