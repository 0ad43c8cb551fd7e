"""Embeddings of single patches in CLIP's joint space, without a backward pass.

Stage 2. CLIP is trained so that its class token meets the text; its last blocks mix patches for
that purpose. Both functions here leave that mixing out, from tokens that are there already.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.transformer import Attention


@torch.no_grad()
def value_embedding(encoder: ClipImageEncoder, tokens: Tensor) -> Tensor:
    """Each token sees only itself in the last block, whose MLP follows as usual.

    TagCLIP (Lin et al., AAAI 2024) scores patches by it, after Zhou et al., "Extract Free Dense
    Labels from CLIP" (MaskCLIP), ECCV 2022.

    Args:
        encoder: Frozen CLIP.
        tokens: (B, 1+N, D), the output of block L-1.

    Returns:
        (B, 1+N, J) of unit length, class token first.
    """
    block = encoder.transformer.blocks[-1]
    _, _, value = block.attn.project(block.ln_1(tokens))
    x = tokens + block.attn.merge(value)
    return encoder.to_joint(x + block.mlp(block.ln_2(x)))


@torch.no_grad()
def class_token(encoder: ClipImageEncoder, tokens: Tensor) -> Tensor:
    """The class token after the last block, alone.

    Args:
        encoder: Frozen CLIP.
        tokens: (B, 1+N, D), the output of block L-1.

    Returns:
        (B, 1, D), the input of `encoder.project`.
    """
    block = encoder.transformer.blocks[-1]
    query, key, value = block.attn.project(block.ln_1(tokens))
    weights = block.attn.weights(query[:, :, :1], key)  # (B, heads, 1, 1+N)
    x = tokens[:, :1] + block.attn.merge(weights @ value)
    after: Tensor = x + block.mlp(block.ln_2(x))
    return after


@torch.no_grad()
def self_self_tokens(encoder: ClipImageEncoder, tokens: Sequence[Tensor], blocks: int) -> Tensor:
    """In the last blocks, tokens attend to those like them in queries, keys or values.

    Yang et al., "Exploring CLIP's Dense Knowledge for Weakly Supervised Semantic Segmentation"
    (ExCEL), CVPR 2025, section 3.3, after Li et al., "CLIP Surgery", 2023. A second path starts
    where the last blocks do, takes from each the attended values alone, without MLP, and leaves the
    path of the image as it is. As in the released code the three attentions are averaged, those of
    all heads are added up, and every head gathers its values by that sum.

    Args:
        encoder: Frozen CLIP.
        tokens: L-1 outputs (B, 1+N, D) of blocks 1..L-1.
        blocks: How many of the last blocks; at most L-1, since the first one's input is not kept.

    Returns:
        (B, 1+N, D), the input of `encoder.project`; ExCEL takes the class token from the path of
        the image.
    """
    blocks = min(blocks, len(tokens))
    entering = tokens[len(tokens) - blocks :]
    x = entering[0]
    for block, token in zip(encoder.transformer.blocks[-blocks:], entering, strict=True):
        x = x + _attend_to_alike(block.attn, block.ln_1(token))
    return x


def _attend_to_alike(attention: Attention, x: Tensor) -> Tensor:
    """Output (B, T, D) of q-q, k-k and v-v attention of tokens (B, T, D)."""
    query, key, value = attention.project(x)  # (B, heads, T, D/heads)
    of_heads = (attention.weights(each, each) for each in (query, key, value))
    alike = sum(weights.sum(dim=1, dtype=torch.float32) for weights in of_heads)
    assert isinstance(alike, Tensor)
    return attention.merge((alike / 3).to(value.dtype)[:, None] @ value)
