"""CorrCLIP for one window in loops: region tokens are a second pass with an attention mask.

On a plain dict of CLIP's weights, float64; ids are lists of rows.
"""

import torch
import torch.nn.functional as F
from tests.literal.dino import resampling
from tests.literal.gradcam import layer_norm

SPATIAL = {12: (6, 10), 24: (11, 22), 32: (3, 30)}
"""First and last block of the spatial branch, counted from 1; others: L - 4 that end at L - 2."""


def nearest(ids, size):
    """Rows of ids at another size, the top left of the pixels that meet."""
    height, width = len(ids), len(ids[0])
    return [
        [ids[y * height // size[0]][x * width // size[1]] for x in range(size[1])]
        for y in range(size[0])
    ]


def none_of(ids, least):
    present = {each for row in ids for each in row}
    smallest = min(present)
    return smallest if least or smallest == 0 else (0 if 0 in present else None)


def merged(guide, ids, none, distance):
    """Rows of ids after merging; `guide` (N, J) unit rows."""
    flat = [each for row in ids for each in row]
    present = sorted(set(flat))
    if len(present) <= 2:
        return ids
    members = [each for each in present if each != none]
    means = []
    for region in members:
        rows = [guide[n] for n in range(len(flat)) if flat[n] == region]
        mean = sum(rows) / len(rows)
        means.append(mean / mean.norm())
    cosine = [[float(a @ b) for b in means] for a in means]
    most = max(max(row) for row in cosine)
    cluster = {}
    for start in range(len(members)):
        if start in cluster:
            continue
        number, waiting = len(set(cluster.values())), [start]
        while waiting:
            node = waiting.pop()
            if node in cluster:
                continue
            cluster[node] = number
            waiting += [
                other for other in range(len(members)) if most - cosine[node][other] <= distance
            ]
    new = {region: 10000 + cluster[i] for i, region in enumerate(members)} | {none: none}
    return [[new[each] for each in row] for row in ids]


def scope_of(similarity, ids, none):
    """(N, N) bool."""
    flat = [each for row in ids for each in row]
    mean = similarity.sum() / similarity.numel()
    out = torch.zeros_like(similarity, dtype=torch.bool)
    for a in range(len(flat)):
        for b in range(len(flat)):
            if flat[a] == none or flat[b] == none:
                out[a, b] = similarity[a, b] > mean
            else:
                out[a, b] = flat[a] == flat[b]
    return out


def attention_of(similarity, scope, temperature):
    rows = []
    for own, seen in zip(similarity, scope, strict=True):
        weight = torch.exp(temperature * own) * seen
        rows.append(
            weight / weight.sum() if seen.any() else torch.full_like(weight, 1 / len(weight))
        )
    return torch.stack(rows)


def positions(state, grid, by_count):
    stored = state["visual.positional_embedding"]
    native = round((len(stored) - 1) ** 0.5)
    if grid == (native, native) or (by_count and grid[0] * grid[1] == native**2):
        return stored
    rows, columns = (resampling(side, native, registers=False) for side in grid)
    square = stored[1:].view(native, native, -1)
    resized = torch.einsum("yr,xc,rcd->yxd", rows, columns, square).flatten(0, 1)
    return torch.cat([stored[:1], resized])


def embed(state, image, by_count):
    """Tokens (1+n, D) of a normalised image (3, H, W), and the grid."""
    planes = F.conv2d(
        image[None], state["visual.conv1.weight"], stride=state["visual.conv1.weight"].shape[-1]
    )[0]
    grid = tuple(planes.shape[1:])
    x = torch.cat([state["visual.class_embedding"][None], planes.flatten(1).T])
    x = x + positions(state, grid, by_count)
    return layer_norm(x, state["visual.ln_pre.weight"], state["visual.ln_pre.bias"]), grid


def block(state, index, heads, x, mask):
    """Tokens (T, D) after a block where tokens see those in `mask` (T, T)."""
    prefix = f"visual.transformer.resblocks.{index}."
    y = layer_norm(x, state[prefix + "ln_1.weight"], state[prefix + "ln_1.bias"])
    joint = y @ state[prefix + "attn.in_proj_weight"].T + state[prefix + "attn.in_proj_bias"]
    query, key, value = joint.chunk(3, dim=1)
    size = x.shape[1] // heads
    outputs = []
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        scores = (query[:, own] @ key[:, own].T / size**0.5).masked_fill(~mask, -torch.inf)
        outputs.append(scores.softmax(dim=1) @ value[:, own])
    x = x + (
        torch.cat(outputs, dim=1) @ state[prefix + "attn.out_proj.weight"].T
        + state[prefix + "attn.out_proj.bias"]
    )
    y = layer_norm(x, state[prefix + "ln_2.weight"], state[prefix + "ln_2.bias"])
    y = y @ state[prefix + "mlp.c_fc.weight"].T + state[prefix + "mlp.c_fc.bias"]
    y = y * torch.sigmoid(1.702 * y)
    return x + y @ state[prefix + "mlp.c_proj.weight"].T + state[prefix + "mlp.c_proj.bias"]


def with_regions(state, tokens, coarse, blocks, heads):
    """Outputs (R+1+n, D) of all blocks: region tokens, class token, patches; ids of the regions."""
    flat = [each for row in coarse for each in row]
    regions = sorted(set(flat))
    count, length = len(regions), len(tokens)
    mask = torch.zeros(count + length, count + length, dtype=torch.bool)
    mask[count:, count:] = True
    for row, region in enumerate(regions):
        mask[row, count] = True
        for patch, own in enumerate(flat):
            mask[row, count + 1 + patch] = own == region
    x = torch.cat([tokens[:1].repeat(count, 1), tokens])
    outputs = []
    for index in range(blocks):
        x = block(state, index, heads, x, mask)
        outputs.append(x)
    return outputs, regions


def through_values(state, index, tokens, attention, grid, fine_grid):
    """(N, D) of tokens (1+n, D): values of block `index`, resized, gathered, projected."""
    prefix, width = f"visual.transformer.resblocks.{index}.", tokens.shape[1]
    y = layer_norm(tokens, state[prefix + "ln_1.weight"], state[prefix + "ln_1.bias"])[1:]
    weight, bias = state[prefix + "attn.in_proj_weight"], state[prefix + "attn.in_proj_bias"]
    value = y @ weight[2 * width :].T + bias[2 * width :]
    planes = value.T.reshape(1, width, *grid)
    fine = F.interpolate(planes, fine_grid, mode="bilinear", align_corners=False)[0]
    gathered = attention @ fine.flatten(1).T
    return (
        gathered @ state[prefix + "attn.out_proj.weight"].T + state[prefix + "attn.out_proj.bias"]
    )


def region_embedding(state, image, guide, fine_grid, ids, *, heads, settings, by_count):
    """Everything of one window, by name."""
    blocks = len([name for name in state if name.endswith("ln_1.weight")])
    guide = torch.stack([row / row.norm() for row in guide])
    similarity = guide @ guide.T
    fine = nearest(ids, fine_grid)
    none = none_of(fine, settings.least_id_is_none)
    if settings.merge_regions:
        fine = merged(guide, fine, none, settings.merge_distance)
    scope = scope_of(similarity, fine, none)
    attention = attention_of(similarity, scope, settings.temperature)
    tokens, grid = embed(state, image, by_count)
    coarse = nearest(fine, grid)
    outputs, regions = with_regions(state, tokens, coarse, blocks, heads)
    ordinary = [output[len(regions) :] for output in outputs]
    first, last = SPATIAL.get(blocks, (3, blocks - 2))
    averaged = sum(ordinary[first - 1 : last]) / (last - first + 1)
    main, spatial = (
        through_values(state, blocks - 1, each, attention, grid, fine_grid)
        for each in (ordinary[blocks - 2], averaged)
    )
    written = nearest(coarse, fine_grid)
    semantic = torch.stack([outputs[-1][regions.index(each)] for row in written for each in row])
    post = [
        layer_norm(each, state["visual.ln_post.weight"], state["visual.ln_post.bias"])
        for each in (main, spatial, semantic)
    ]
    total = post[0] + settings.spatial_weight * post[1] + settings.semantic_weight * post[2]
    return {
        "ids": fine,
        "coarse_ids": coarse,
        "scope": scope,
        "attention": attention,
        "branches": torch.stack(post),
        "features": total @ state["visual.proj"],
    }
