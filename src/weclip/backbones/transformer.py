"""The pre-norm transformer block of CLIP, in OpenAI layout; the decoder is made of it too.

Stage 2. Parameter names are those of the OpenAI weights, so that state dicts load unchanged.
Activation, heads and epsilon are arguments, since weights do not tell them.
Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normal(*shape: int, std: float) -> Tensor:
    """Random numbers of mean 0, or no numbers on the device `meta`.

    There, drawing them would load PyTorch's compiler, which takes a second.
    """
    empty = torch.empty(shape)
    return empty if empty.is_meta else nn.init.normal_(empty, std=std)


PLAIN_SCORES = 2**25
"""Attention scores up to which a processor computes in bfloat16 without the fused kernel."""


class LayerNorm(nn.LayerNorm):
    """Layer normalisation computed in float32 whatever the input's type, which it returns."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of `x` (..., D)."""
        weight, bias = self.weight.float(), self.bias.float()
        # The kernel widens as it reads; its gradients would depend on the number of threads.
        if _on_cpu(x) and x.dtype != torch.float64 and not torch.is_grad_enabled():
            return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


def _on_cpu(x: Tensor) -> bool:
    """Whether a processor computes this; a graph that is exported is for any device."""
    return x.device.type == "cpu" and not torch.compiler.is_exporting()


class QuickGELU(nn.Module):
    """CLIP's approximation of GELU, `x * sigmoid(1.702 x)`."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return x * torch.sigmoid(1.702 * x)

    def slope(self, x: Tensor) -> Tensor:
        """Derivative at `x`, elementwise."""
        gate = torch.sigmoid(1.702 * x)
        return gate * (1 + 1.702 * x * (1 - gate))


class GELU(nn.Module):
    """The exact GELU, `x * Phi(x)` with Phi the normal distribution; LAION's CLIPs, OpenCLIP."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return F.gelu(x)

    def slope(self, x: Tensor) -> Tensor:
        """Derivative at `x`, elementwise."""
        density = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return 0.5 * (1 + torch.erf(x * math.sqrt(0.5))) + x * density


ACTIVATIONS: dict[str, type[QuickGELU] | type[GELU]] = {"quick_gelu": QuickGELU, "gelu": GELU}
"""The activations between a block's two wide layers, by name."""


@dataclass(frozen=True)
class BlockSettings:
    """How the blocks of a published transformer compute: what its weights do not tell.

    Attributes:
        heads: Attention heads; divides the width.
        activation: A key of `ACTIVATIONS`.
        eps: Of every layer normalisation.
    """

    heads: int
    activation: str = "quick_gelu"
    eps: float = 1e-5


class Attention(nn.Module):
    """Multi-head self-attention that can also return its maps averaged over heads.

    Args:
        width: Channels D.
        heads: Number of heads; divides `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend with the fused kernel.

        Args:
            x: (B, T, D) tokens.
            mask: (T, T), added to the scores; None for none.

        Returns:
            (B, T, D).
        """
        query, key, value = self.project(x)
        if mask is None and self._plain(query):
            return self.merge(self.weights(query, key) @ value)
        return self.merge(F.scaled_dot_product_attention(query, key, value, attn_mask=mask))

    def with_map(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Attend, and return the attention too.

        Args:
            x: (B, T, D) tokens.

        Returns:
            The output (B, T, D) and the attention averaged over heads (B, T, T), whose rows sum
            to 1.
        """
        query, key, value = self.project(x)
        attention = self.weights(query, key)
        return self.merge(attention @ value), attention.mean(dim=1, dtype=torch.float32)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, heads, T, D/heads) of tokens (B, T, D)."""
        batch, length, _ = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (B, T, 3D)
        qkv = qkv.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return qkv[0], qkv[1], qkv[2]

    @staticmethod
    def weights(query: Tensor, key: Tensor) -> Tensor:
        """Attention (B, heads, T, T) of every head, in the type of the queries."""
        slope: float = query.shape[-1] ** -0.5
        scores = (slope * query) @ key.transpose(-2, -1)
        with torch.autocast(scores.device.type, enabled=False):  # float32 inside the kernel
            return scores.softmax(dim=-1)

    @staticmethod
    def _plain(query: Tensor) -> bool:
        """Whether separate products are faster than the fused kernel, and their memory small."""
        batch, heads, length, _ = query.shape
        if not _on_cpu(query) or query.dtype != torch.bfloat16:
            return False
        return batch * heads * length**2 <= PLAIN_SCORES

    def merge(self, x: Tensor) -> Tensor:
        """Output (B, T, D) of what the heads (B, heads, T, D/heads) gathered."""
        out: Tensor = self.out_proj(x.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    """A wider layer and back.

    Args:
        width: Channels D.
        hidden: Channels of the wider layer.
        activation: A key of `ACTIVATIONS`.
    """

    def __init__(self, width: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.activation = activation
        self.c_fc = nn.Linear(width, hidden)
        self.gelu = ACTIVATIONS[activation]()
        self.c_proj = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map each token of (..., D)."""
        out: Tensor = self.c_proj(self.gelu(self.c_fc(x)))
        return out


class Block(nn.Module):
    """Pre-norm residual block: attention, then an MLP.

    Args:
        width: Channels D.
        settings: Heads, activation and epsilon.
        hidden: Channels of the MLP's wider layer; None for 4 D.
    """

    def __init__(self, width: int, settings: BlockSettings, hidden: int | None = None) -> None:
        super().__init__()
        self.attn = Attention(width, settings.heads)
        self.ln_1 = LayerNorm(width, eps=settings.eps)
        self.mlp = Mlp(width, hidden or 4 * width, settings.activation)
        self.ln_2 = LayerNorm(width, eps=settings.eps)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map tokens (B, T, D) to (B, T, D)."""
        x = x + self.attn(self.ln_1(x), mask)
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out

    def with_map(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map tokens (B, T, D), and return the head-averaged attention (B, T, T) too."""
        attended, attention = self.attn.with_map(self.ln_1(x))
        x = x + attended
        return x + self.mlp(self.ln_2(x)), attention


class Transformer(nn.Module):
    """A stack of blocks under the OpenAI name `resblocks`.

    Args:
        width: Channels D.
        blocks: Number of blocks.
        settings: Heads, activation and epsilon; a number of heads stands for OpenAI's others.
        hidden: Channels of each MLP's wider layer; None for 4 D.
    """

    def __init__(
        self, width: int, blocks: int, settings: BlockSettings | int, hidden: int | None = None
    ) -> None:
        super().__init__()
        if isinstance(settings, int):
            settings = BlockSettings(heads=settings)
        self.resblocks = nn.ModuleList(Block(width, settings, hidden) for _ in range(blocks))

    @property
    def blocks(self) -> list[Block]:
        """The blocks, first to last."""
        return cast(list[Block], list(self.resblocks))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map tokens (B, T, D) to (B, T, D)."""
        for block in self.blocks:
            x = block(x, mask)
        return x


class Frozen(nn.Module):
    """A module that never trains: no gradients, always in eval mode.

    Subclasses call `freeze()` at the end of their construction.
    """

    def freeze(self) -> None:
        """Stop gradients into every parameter and enter eval mode."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Frozen":
        """Stay in eval mode whatever `mode` says."""
        super().train(False)
        return self
