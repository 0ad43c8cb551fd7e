"""TagCLIP in loops, for one image: from attention and scores of patches to refined scores."""

import cv2
import numpy as np


def dual_masked_attention(attention, first, votes):
    """(N, N) from the maps (L, N, N) of all blocks."""
    blocks, patches, _ = attention.shape
    out = np.zeros((patches, patches))
    means = [attention[block].mean() for block in range(blocks)]
    late = list(range(blocks))[first:-1]
    for target in range(patches):
        for source in range(patches):
            pair = attention[:, target, source]
            for_it = sum(pair[block] > means[block] for block in range(blocks))
            if for_it >= votes:
                out[target, source] = np.mean([pair[block] for block in late])
    return out


def refine_scores(scores, attention, height, width):
    """(K, N) from scores (K, N) and attention (N, N)."""
    out = np.zeros_like(scores)
    for index, own in enumerate(scores):
        spread = np.array([sum(row * own) for row in attention])
        spread = (spread - spread.min()) / (spread.max() - spread.min())
        strong = (spread > spread.mean()).astype(np.uint8).reshape(height, width)
        count, _, stats, _ = cv2.connectedComponentsWithStats(strong, connectivity=8)
        inside = np.zeros((height, width))
        for x0, y0, box_width, box_height, _ in stats[1:count]:
            inside[y0 : y0 + box_height, x0 : x0 + box_width] = 1
        out[index] = [sum(row * inside.ravel() * own) for row in attention]
    return out


def otsu(values):
    """The cut between sorted numbers with the least variance within the two groups."""
    ordered = sorted(values)
    cuts = range(1, len(ordered))
    within = [k * np.var(ordered[:k]) + (len(ordered) - k) * np.var(ordered[k:]) for k in cuts]
    best = int(np.argmin(within)) + 1
    return (ordered[best - 1] + ordered[best]) / 2


def region_token(encoder, image, region):
    """Class token (J,) of one image (3, H, W), by attention in loops over heads."""
    import torch

    x = encoder.embed(image[None])[0][0]
    allowed = torch.tensor([True, *region.ravel().tolist()])
    for block in encoder.transformer.blocks:
        query, key, value = (each[0] for each in block.attn.project(block.ln_1(x[None])))
        heads = []
        for q, k, v in zip(query, key, value, strict=True):
            scores = q @ k.T / q.shape[1] ** 0.5
            scores[0, ~allowed] = -torch.inf
            heads.append(scores.softmax(dim=-1) @ v)
        x = x + block.attn.out_proj(torch.cat(heads, dim=1))
        x = x + block.mlp(block.ln_2(x))
    joint = encoder.ln_post(x[0]) @ encoder.proj
    return joint / joint.norm()
