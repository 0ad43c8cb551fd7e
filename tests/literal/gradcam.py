"""Softmax Grad-CAM of one image and one tag (section 3), on a plain dict of weights."""

import torch


def layer_norm(x, weight, bias):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias


def attention(x, state, prefix, heads):
    """Self-attention of tokens (T, D), head by head; output and mean map."""
    width = x.shape[1] // heads
    query, key, value = (
        x @ state[prefix + "in_proj_weight"].T + state[prefix + "in_proj_bias"]
    ).chunk(3, -1)
    outputs, maps = [], []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = query[:, part] @ key[:, part].T / width**0.5
        maps.append(torch.softmax(scores, dim=-1))
        outputs.append(maps[-1] @ value[:, part])
    joined = torch.cat(outputs, dim=-1)
    out = joined @ state[prefix + "out_proj.weight"].T + state[prefix + "out_proj.bias"]
    return out, sum(maps) / heads


def image_embedding(state, block, heads, tokens, normalised):
    """Block `block` from its `ln_1` output on, `ln_post`, mean over patches, projection."""
    prefix = f"visual.transformer.resblocks.{block}."
    attended, attention_map = attention(normalised, state, prefix + "attn.", heads)
    x = tokens + attended
    hidden = layer_norm(x, state[prefix + "ln_2.weight"], state[prefix + "ln_2.bias"])
    hidden = hidden @ state[prefix + "mlp.c_fc.weight"].T + state[prefix + "mlp.c_fc.bias"]
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    x = x + hidden @ state[prefix + "mlp.c_proj.weight"].T + state[prefix + "mlp.c_proj.bias"]
    x = layer_norm(x, state["visual.ln_post.weight"], state["visual.ln_post.bias"])
    patches = [x[i] for i in range(1, len(x))]
    return (sum(patches) / len(patches)) @ state["visual.proj"], attention_map


def min_max(cam):
    cam = cam - cam.min()
    return cam / (1e-7 + cam.max())


def gradcam(state, *, block, heads, tokens, texts, tag, scale, grid):
    """Map of one tag of one image.

    Args:
        state: OpenAI-layout weights.
        block: Number of the last block, from 0.
        heads: Its heads.
        tokens: (1+N, D), the output of the block before.
        texts: (K+G, J) unit features: the image's tags, then the background words.
        tag: Which of the K tags.
        scale: exp(logit_scale).
        grid: (h, w).

    Returns:
        The map (h, w), the probabilities (K+G,) and the attention (1+N, 1+N).
    """
    prefix = f"visual.transformer.resblocks.{block}.ln_1."
    normalised = layer_norm(tokens, state[prefix + "weight"], state[prefix + "bias"])
    normalised = normalised.detach().requires_grad_()
    embedding, attention_map = image_embedding(state, block, heads, tokens, normalised)
    scores = [scale * torch.cosine_similarity(embedding, text, dim=0) for text in texts]
    probability = torch.softmax(torch.stack(scores), dim=0)
    probability[tag].backward()
    channel_weights = normalised.grad[1:].mean(0)
    cam = torch.zeros(len(tokens) - 1, dtype=tokens.dtype)
    for patch in range(len(cam)):
        cam[patch] = torch.relu((channel_weights * normalised[1 + patch].detach()).sum())
    return min_max(min_max(cam.view(grid))), probability.detach(), attention_map.detach()
