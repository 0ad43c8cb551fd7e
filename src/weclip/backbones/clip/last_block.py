"""CLIP's last block with the one gradient that Grad-CAM needs, worked out by hand.

Stage 2. Grad-CAM weighs channels by the gradient of a score with respect to the output of the last
block's `ln_1`, averaged over patches. Only that average is wanted, so most of the backward pass
through attention collapses: rows of a softmax's gradient sum to zero, and sums over patches can be
taken before the projections. What is left is the backward pass of the MLP and one product with
the attention. The literal form is under `tests/literal/gradcam.py`.
"""

import torch
from torch import Tensor

from weclip.backbones.transformer import Block, LayerNorm


class LastBlock:
    """Block L run from the output of block L-1 to the image embedding; no autograd graph.

    Large products run in the precision of the surrounding autocast, everything else in float32.

    Attributes:
        normalised: (B, 1+N, D) output of `ln_1`.
        embedding: (B, J) image embedding, the mean of projected patch tokens, not normalised.
        attention: (B, 1+N, 1+N) averaged over heads, rows sum to 1.

    Args:
        block: Block L.
        ln_post: The LayerNorm after it.
        proj: (D, J).
        tokens: (B, 1+N, D), the output of block L-1.
    """

    @torch.no_grad()
    def __init__(self, block: Block, ln_post: LayerNorm, proj: Tensor, tokens: Tensor) -> None:
        self._block, self._ln_post, self._proj = block, ln_post, _wide(proj)
        self.normalised = block.ln_1(tokens)
        self._query, self._key, self._value = block.attn.project(self.normalised)
        self._head_attention = block.attn.weights(self._query, self._key)  # (B, heads, T, T)
        self.attention = self._head_attention.mean(dim=1, dtype=torch.float32)
        head_out = self._head_attention @ self._value
        self._head_out = head_out[:, :, 1:]  # (B, heads, N, D/heads)
        # The class token ends here: the embedding reads patches only.
        middle = _wide((tokens + block.attn.merge(head_out))[:, 1:])  # (B, N, D)
        self._hidden = block.mlp.c_fc(block.ln_2(middle.to(tokens.dtype)))  # (B, N, 4D)
        out = middle + block.mlp.c_proj(block.mlp.gelu(self._hidden))
        self._middle_unit, self._middle_scale = _standardise(middle, block.ln_2.eps)
        self._out_unit, self._out_scale = _standardise(out, ln_post.eps)
        pooled = self._out_unit.mean(dim=1) * _wide(ln_post.weight) + _wide(ln_post.bias)
        self.embedding = (pooled[:, :, None] * self._proj).sum(dim=1)

    @torch.no_grad()
    def mean_gradient(self, upstream: Tensor, image: Tensor) -> Tensor:
        """Gradients of several scores by `normalised`, each averaged over its image's patches.

        Args:
            upstream: (P, J), gradient of each score by its image's embedding.
            image: (P,) int64, the image of each score.

        Returns:
            (P, D).
        """
        attention = self._block.attn
        to_middle = self._through_mlp(upstream, image)  # (P, N, D)
        to_heads = _times(to_middle, attention.out_proj.weight)
        to_heads = torch.unflatten(to_heads, -1, (attention.heads, -1)).transpose(1, 2)
        with torch.autocast(upstream.device.type, enabled=False):
            by_projection = self._through_attention(_wide(to_heads), image)  # (P, 3D)
            return by_projection @ _wide(attention.in_proj_weight)

    def _through_mlp(self, upstream: Tensor, image: Tensor) -> Tensor:
        """Gradient (P, N, D) by the patch tokens between attention and MLP."""
        mlp, patches = self._block.mlp, self._hidden.shape[1]
        # The embedding is a mean of projected patches, so all patches share this gradient.
        shared = (upstream[:, None] * self._proj).sum(-1) * _wide(self._ln_post.weight) / patches
        to_out = _norm_gradient(shared[:, None], self._out_unit[image], self._out_scale[image])
        to_hidden = _times(to_out, mlp.c_proj.weight) * mlp.gelu.slope(self._hidden)[image]
        to_norm = _times(to_hidden, mlp.c_fc.weight) * _wide(self._block.ln_2.weight)
        return to_out + _norm_gradient(to_norm, self._middle_unit[image], self._middle_scale[image])

    def _through_attention(self, to_heads: Tensor, image: Tensor) -> Tensor:
        """Mean gradient (P, 3D) by queries, keys and values of patches.

        With A the attention, o its output, g the gradient by it (`to_heads`, (P, heads, N,
        D/heads)) and r = g . o, the gradient by a score is A_nm (g_n . v_m - r_n). Its rows sum
        to 0, so over patch columns they sum to minus the class token's column.
        """
        query, key, value = (_wide(x)[image] for x in (self._query, self._key, self._value))
        attention = self._head_attention[image, :, 1:].to(value.dtype)  # (P, heads, N, T)
        to_class = attention[..., :1]
        along = (to_heads * _wide(self._head_out)[image]).sum(-1, keepdim=True)  # r
        rows = to_class * (along - (to_heads * value[:, :, :1]).sum(-1, keepdim=True))
        by_key = (rows * query[:, :, 1:]).sum(dim=2)
        by_value = ((1 - to_class) * to_heads).sum(dim=2)  # (P, heads, D/heads)
        gathered = attention.transpose(2, 3) @ torch.cat([to_heads, along], dim=-1)
        columns = (gathered[..., :-1] * value).sum(-1) - gathered[..., -1]  # (P, heads, T)
        by_query = (columns[..., None] * key).sum(dim=2)
        slope = query.shape[-1] ** -0.5
        parts = (slope * by_query, slope * by_key, by_value)
        return torch.cat([part.flatten(1) for part in parts], dim=1) / to_heads.shape[2]


def _wide(x: Tensor) -> Tensor:
    """At least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _times(x: Tensor, weight: Tensor) -> Tensor:
    """`x @ weight` where their types may differ; autocast makes them equal."""
    if not torch.is_autocast_enabled(x.device.type):
        weight = weight.to(x.dtype)
    return x @ weight


def _standardise(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Tokens (..., D) with mean 0 and deviation 1, and the factor that this took."""
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    scale = (variance + eps).rsqrt()
    return (x - mean) * scale, scale


def _norm_gradient(upstream: Tensor, unit: Tensor, scale: Tensor) -> Tensor:
    """Gradient through a LayerNorm, given the one by its standardised output `unit`."""
    along = (upstream * unit).mean(dim=-1, keepdim=True)
    return (upstream - upstream.mean(dim=-1, keepdim=True) - unit * along) * scale
