"""DINOv2 for one image in loops, from the hub's tensors: LayerScale apart, exact GELU, positions.

The cubic kernel and its sampling are written out as `weclip_plus.md`, section 3, describes them.
"""

import math

import torch

EPS, HEAD = 1e-6, 64


def cubic(distance, a):
    """The cubic convolution kernel."""
    x = abs(distance)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def resampling(size, native, registers):
    """(size, native): what each output takes of each input along one side."""
    out = torch.zeros(size, native, dtype=torch.float64)
    for i in range(size):
        if registers:  # antialiased: a wider kernel when shrinking, nothing from beyond the border
            wide = max(native / size, 1)
            centre = (i + 0.5) * native / size - 0.5
            for j in range(native):
                out[i, j] = cubic((j - centre) / wide, -0.5)
            out[i] /= out[i].sum()
        else:
            centre = (i + 0.5) * native / (size + 0.1) - 0.5
            for j in range(math.floor(centre) - 1, math.floor(centre) + 3):
                out[i, min(max(j, 0), native - 1)] += cubic(j - centre, -0.75)
    return out


def positions(state, grid):
    """(1+N, D) for a patch grid."""
    stored = state["pos_embed"][0].double()
    native = round((len(stored) - 1) ** 0.5)
    if grid == (native, native):
        return stored
    rows, columns = (resampling(size, native, "register_tokens" in state) for size in grid)
    square = stored[1:].view(native, native, -1)
    resized = torch.einsum("yr,xc,rcd->yxd", rows, columns, square)
    return torch.cat([stored[:1], resized.flatten(0, 1)])


def embed(state, image):
    """(1+R+N, D) of a normalised image (3, H, W) of whole patches."""
    weight, bias = state["patch_embed.proj.weight"].double(), state["patch_embed.proj.bias"]
    patch = weight.shape[-1]
    grid = (image.shape[1] // patch, image.shape[2] // patch)
    place = positions(state, grid)
    tokens = [state["cls_token"][0, 0] + place[0]]
    tokens += list(state["register_tokens"][0]) if "register_tokens" in state else []
    for y in range(grid[0]):
        for x in range(grid[1]):
            cut = image[:, y * patch : (y + 1) * patch, x * patch : (x + 1) * patch].double()
            seen = (weight * cut).sum(dim=(1, 2, 3)) + bias
            tokens.append(seen + place[1 + y * grid[1] + x])
    return torch.stack([token.double() for token in tokens])


def attend(state, block, x):
    """Attention of tokens (T, D), a head and a token at a time."""
    qkv = x @ state[f"{block}attn.qkv.weight"].double().T + state[f"{block}attn.qkv.bias"]
    query, key, value = qkv.chunk(3, dim=1)
    out = torch.zeros_like(x)
    for head in range(x.shape[1] // HEAD):
        own = slice(head * HEAD, (head + 1) * HEAD)
        for t in range(len(x)):
            weights = (key[:, own] @ query[t, own] / 8).softmax(dim=0)
            out[t, own] = weights @ value[:, own]
    return out @ state[f"{block}attn.proj.weight"].double().T + state[f"{block}attn.proj.bias"]


def widen(state, block, x):
    """The MLP of tokens (T, D), with GELU x Phi(x)."""
    wide = x @ state[f"{block}mlp.fc1.weight"].double().T + state[f"{block}mlp.fc1.bias"]
    wide = wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))
    return wide @ state[f"{block}mlp.fc2.weight"].double().T + state[f"{block}mlp.fc2.bias"]


def normed(state, name, x):
    """Layer normalisation of tokens (T, D)."""
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + EPS) * state[f"{name}.weight"] + state[f"{name}.bias"]


def patch_tokens(state, image):
    """(N, D) after the last normalisation, of a normalised image (3, H, W) of whole patches."""
    x = embed(state, image)
    for index in range(len([name for name in state if name.endswith("norm1.weight")])):
        x = through(state, f"blocks.{index}.", x)
    return normed(state, "norm", x)[1 + registers_of(state) :]


def query_key(state, image):
    """(N, D) unit rows of queries plus keys of the last block, of a normalised image."""
    x = embed(state, image)
    count = len([name for name in state if name.endswith("norm1.weight")])
    for index in range(count - 1):
        x = through(state, f"blocks.{index}.", x)
    block = f"blocks.{count - 1}."
    x = normed(state, f"{block}norm1", x)
    qkv = x @ state[f"{block}attn.qkv.weight"].double().T + state[f"{block}attn.qkv.bias"]
    width = x.shape[1]
    both = qkv[:, :width] + qkv[:, width : 2 * width]
    return torch.stack([row / row.norm() for row in both[1 + registers_of(state) :]])


def registers_of(state):
    return state["register_tokens"].shape[1] if "register_tokens" in state else 0


def through(state, block, x):
    """Tokens (T, D) after a block."""
    attended = attend(state, block, normed(state, f"{block}norm1", x))
    x = x + scale(state, f"{block}ls1") * attended
    widened = widen(state, block, normed(state, f"{block}norm2", x))
    return x + scale(state, f"{block}ls2") * widened


def scale(state, name):
    """LayerScale's factors; 1 where there are none."""
    gamma = state.get(f"{name}.gamma")
    return 1.0 if gamma is None else gamma.double()
