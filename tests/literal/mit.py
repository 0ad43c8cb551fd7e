"""MiT for one image in loops, from SegFormer's tensors; float64.

Written from `afa.md`, section 2: every convolution and every head is spelled out.
"""

import math

import torch

STRIDES, HEADS = (4, 2, 2, 1), (1, 2, 5, 8)


def layer(state, name, x):
    """A linear layer of tokens (N, C)."""
    return x @ state[f"{name}.weight"].double().T + state[f"{name}.bias"].double()


def normed(state, name, x, eps):
    """Layer normalisation of tokens (N, D)."""
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    scaled = (x - mean) / torch.sqrt(variance + eps)
    return scaled * state[f"{name}.weight"].double() + state[f"{name}.bias"].double()


def convolve(state, name, square, stride, padding):
    """A convolution of (C, H, W), one output place at a time: (D, h, w)."""
    weight, bias = state[f"{name}.weight"].double(), state[f"{name}.bias"].double()
    kernel = weight.shape[-1]
    channels, height, width = square.shape
    padded = torch.zeros(channels, height + 2 * padding, width + 2 * padding).double()
    padded[:, padding : padding + height, padding : padding + width] = square
    rows = range(0, padded.shape[1] - kernel + 1, stride)
    columns = range(0, padded.shape[2] - kernel + 1, stride)
    out = torch.zeros(len(weight), len(rows), len(columns)).double()
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            cut = padded[:, y : y + kernel, x : x + kernel]
            if weight.shape[1] == 1 and channels > 1:  # depthwise
                out[:, i, j] = (weight[:, 0] * cut).sum((1, 2)) + bias
            else:
                out[:, i, j] = torch.einsum("dckl,ckl->d", weight, cut) + bias
    return out


def on_grid(x, grid):
    """(D, h, w) of tokens (N, D), row by row."""
    return x.T.reshape(-1, *grid)


def as_tokens(square):
    """(N, D) of (D, h, w), row by row."""
    return square.flatten(1).T


def attend(state, name, x, grid, heads):
    """Attention of tokens (N, D), and its raw scores, a head and a token at a time."""
    seen = x
    if f"{name}.sr.weight" in state:
        reduction = state[f"{name}.sr.weight"].shape[-1]
        seen = as_tokens(convolve(state, f"{name}.sr", on_grid(x, grid), reduction, 0))
        seen = normed(state, f"{name}.norm", seen, 1e-5)
    query = layer(state, f"{name}.q", x)
    both = layer(state, f"{name}.kv", seen)
    width = x.shape[1]
    key, value = both[:, :width], both[:, width:]
    size = width // heads
    scores = torch.zeros(heads, len(x), len(seen)).double()
    out = torch.zeros_like(x)
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        for t in range(len(x)):
            scores[head, t] = key[:, own] @ query[t, own]
            weights = (scores[head, t] / math.sqrt(size)).softmax(dim=0)
            out[t, own] = weights @ value[:, own]
    return layer(state, f"{name}.proj", out), scores


def widen(state, name, x, grid):
    """The MLP of tokens (N, D), with GELU x Phi(x)."""
    wide = layer(state, f"{name}.fc1", x)
    wide = as_tokens(convolve(state, f"{name}.dwconv.dwconv", on_grid(wide, grid), 1, 1))
    return layer(state, f"{name}.fc2", wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2))))


def features(state, image):
    """Maps F1..F4, and the raw scores of the last two blocks, of a normalised image (3, H, W)."""
    square, maps, scores = image.double(), [], []
    for stage, (stride, heads) in enumerate(zip(STRIDES, HEADS, strict=True), start=1):
        kernel = state[f"patch_embed{stage}.proj.weight"].shape[-1]
        square = convolve(state, f"patch_embed{stage}.proj", square, stride, kernel // 2)
        grid = square.shape[1:]
        x = normed(state, f"patch_embed{stage}.norm", as_tokens(square), 1e-5)
        for index in range(len({n.split(".")[1] for n in state if n.startswith(f"block{stage}.")})):
            block = f"block{stage}.{index}"
            attended, raw = attend(
                state, f"{block}.attn", normed(state, f"{block}.norm1", x, 1e-6), grid, heads
            )
            x = x + attended
            x = x + widen(state, f"{block}.mlp", normed(state, f"{block}.norm2", x, 1e-6), grid)
            scores.append(raw)
        square = on_grid(normed(state, f"norm{stage}", x, 1e-6), grid)
        maps.append(square)
    return maps, torch.cat(scores[-2:])
