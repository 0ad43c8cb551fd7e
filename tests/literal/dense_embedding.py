"""Patch embeddings of one image on a plain dict of weights, head by head."""

import torch
from tests.literal.gradcam import layer_norm


def _project(state, prefix, x):
    """Queries, keys and values (T, D) of tokens (T, D)."""
    joint = x @ state[prefix + "attn.in_proj_weight"].T + state[prefix + "attn.in_proj_bias"]
    return joint.chunk(3, dim=1)


def _out(state, prefix, x):
    return x @ state[prefix + "attn.out_proj.weight"].T + state[prefix + "attn.out_proj.bias"]


def _joint(state, x):
    x = layer_norm(x, state["visual.ln_post.weight"], state["visual.ln_post.bias"])
    x = x @ state["visual.proj"]
    return torch.stack([row / row.norm() for row in x])


def _block(state, index, x):
    prefix = f"visual.transformer.resblocks.{index}."
    return prefix, layer_norm(x, state[prefix + "ln_1.weight"], state[prefix + "ln_1.bias"])


def value_embedding(state, tokens, blocks):
    """Tokens (T, D) that enter the last of `blocks`, with their own values and the MLP added."""
    prefix, x = _block(state, blocks - 1, tokens)
    x = tokens + _out(state, prefix, _project(state, prefix, x)[2])
    y = layer_norm(x, state[prefix + "ln_2.weight"], state[prefix + "ln_2.bias"])
    y = y @ state[prefix + "mlp.c_fc.weight"].T + state[prefix + "mlp.c_fc.bias"]
    y = y * torch.sigmoid(1.702 * y)
    y = y @ state[prefix + "mlp.c_proj.weight"].T + state[prefix + "mlp.c_proj.bias"]
    return _joint(state, x + y)


def self_self_embedding(state, entering, blocks, heads):
    """Second path through the last blocks; `entering` are the tokens (T, D) that enter them."""
    path = entering[0]
    for index, tokens in enumerate(entering, blocks - len(entering)):
        prefix, x = _block(state, index, tokens)
        query, key, value = _project(state, prefix, x)
        size = query.shape[1] // heads
        every = 0
        for head in range(heads):
            columns = slice(head * size, (head + 1) * size)
            for part in (query, key, value):
                own = part[:, columns]
                every = every + (own @ own.T * size**-0.5).softmax(dim=1) / 3
        gathered = [every @ value[:, head * size : (head + 1) * size] for head in range(heads)]
        path = path + _out(state, prefix, torch.cat(gathered, dim=1))
    return _joint(state, path)
