"""TagCLIP in loops, for one image: ours from patches to refined scores, and all of it as released.

What the released form computes is named after the golden tensors.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from tests.literal.clip_es import patch_tokens, resized
from tests.literal.gradcam import layer_norm


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


def released(state, image, text, scale, classes, side):
    """Every stage of TagCLIP as released, in the type of the weights.

    Args:
        state: OpenAI-layout weights of 12 blocks; heads are 64 channels wide.
        image: (H, W, 3) uint8.
        text: (C-1+G, J) unit text features, classes first.
        scale: exp(logit_scale).
        classes: C-1.
        side: Patches a side of a crop, CLIP's native size.
    """
    patch = state["visual.conv1.weight"].shape[2]
    out = {"normalised": resized(image, patch).to(text.dtype)}
    x, (height, width) = patch_tokens(state, out["normalised"], patch)
    out["attention"], out["embedding"] = run_tag_clip(state, x, alone_at_the_end=True)
    out["probability"] = (scale * out["embedding"][1:] @ text.T).softmax(dim=1)
    between = out["attention"][:, 1:, 1:].numpy()
    masked = torch.tensor(dual_masked_attention(between, 8, 4)).to(text.dtype)
    out["masked_attention"] = masked
    out["spread"] = masked @ out["probability"]
    out["boxes"], refined = torch.zeros(len(text), height, width), []
    for j, column in enumerate(out["spread"].T):
        out["boxes"][j] = level_boxes(column.view(height, width))
        refined.append(masked @ (out["boxes"][j].flatten() * out["probability"][:, j]))
    out["refined"] = torch.stack(refined, dim=1)  # (N, C-1+G)
    out["local"] = out["refined"].amax(dim=0)[:classes]
    low, high = out["refined"].min(), out["refined"].max()
    out["threshold"] = low + 0.5 * (high - low)
    out["candidates"] = (out["local"] > out["threshold"]).nonzero()[:, 0]
    looks = []
    for j in out["candidates"].tolist():
        column = out["refined"][:, j].view(height, width)
        looked = look_again(state, out["normalised"], column, text, scale, side)
        if looked is None:
            break  # neither this candidate nor any later one
        looks.append((j, looked[0], looked[1][j]))
    out["looked"] = torch.tensor([j for j, _, _ in looks]).long()
    out["looked_box"] = torch.tensor([box for _, box, _ in looks]).long().view(-1, 4)
    out["looked_score"] = torch.tensor([float(p) for _, _, p in looks])
    out["score"] = out["local"].clone()
    for j, _, p in looks:
        out["score"][j] = 0.5 * out["local"][j] + 0.5 * p
    low, high = out["score"].min(), out["score"].max()
    tags = (out["score"] > low + 0.5 * (high - low)).nonzero()[:, 0]
    out["tags"] = tags if len(tags) else out["score"].argmax()[None]
    return out


def run_tag_clip(state, x, *, alone_at_the_end=False, region=None):
    """Maps (12, T, T) and unit rows (T, J) of tokens (T, D) that enter the first block.

    Added to the scores before the softmax: in the last block -100 between different tokens, or in
    every block -1000 from the class token to patches outside the region (N,) bool.
    """
    heads, maps = x.shape[1] // 64, []
    for index in range(12):
        mask = torch.zeros(len(x), len(x)).to(x.dtype)
        if alone_at_the_end and index == 11:
            mask = -100 * (1 - torch.eye(len(x)).to(x.dtype))
        if region is not None:
            mask[0, 1:][~region] = -1000
        x, attention_map = masked_block(state, index, heads, x, mask)
        maps.append(attention_map)
    x = layer_norm(x, state["visual.ln_post.weight"], state["visual.ln_post.bias"])
    x = x @ state["visual.proj"]
    return torch.stack(maps), x / x.norm(dim=1, keepdim=True)


def level_boxes(spread):
    """Boxes (h, w) of what is above the mean in whole levels of 255; last row and column never."""
    height, width = spread.shape
    scaled = spread - spread.min()
    scaled = scaled / scaled.max()
    levels = (scaled * 255).numpy().astype(np.uint8)
    above = (levels > int(float(scaled.mean()) * levels.max())).astype(np.uint8)
    boxes = torch.zeros(height, width)
    for contour in cv2.findContours(above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        x0, y0, across, down = cv2.boundingRect(contour)
        boxes[y0 : min(y0 + down, height - 1), x0 : min(x0 + across, width - 1)] = 1
    return boxes


def look_again(state, image, column, text, scale, side):
    """Crop (y0, y1, x0, x1) in patches of one map (h, w), and probabilities there; or None."""
    patch, (height, width) = state["visual.conv1.weight"].shape[2], column.shape
    scaled = column - column.min()
    strong = scaled / scaled.max() > 0.5
    rows, columns = (strong.any(dim=axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    if not rows:
        return None  # a map without differences: NaN
    y0, y1 = rows[0], min(rows[-1] + 1, height - 1)
    x0, x1 = columns[0], min(columns[-1] + 1, width - 1)
    if y0 == y1 or x0 == x1:
        return None
    crop = image[None, :, y0 * patch : y1 * patch, x0 * patch : x1 * patch]
    size = (side * patch, side * patch)
    crop = F.interpolate(crop, size, mode="bilinear", align_corners=False)[0]
    region = strong[None, None, y0:y1, x0:x1].float()
    region = F.interpolate(region, (side, side), mode="nearest").flatten() > 0
    x, _ = patch_tokens(state, crop, patch)
    _, embedding = run_tag_clip(state, x, region=region)
    return (y0, y1, x0, x1), (scale * text @ embedding[0]).softmax(dim=0)


def masked_block(state, index, heads, x, mask):
    """Block on tokens (T, D) with `mask` (T, T) added to the scores; also the mean map."""
    prefix = f"visual.transformer.resblocks.{index}."
    y = layer_norm(x, state[prefix + "ln_1.weight"], state[prefix + "ln_1.bias"])
    joint = y @ state[prefix + "attn.in_proj_weight"].T + state[prefix + "attn.in_proj_bias"]
    outputs, maps = [], []
    for head in range(heads):
        query, key, value = (part[:, 64 * head : 64 * head + 64] for part in joint.chunk(3, dim=1))
        scores = query @ key.T / 8
        maps.append(scores.softmax(dim=1))  # without the mask
        outputs.append((scores + mask).softmax(dim=1) @ value)
    out_weight = state[prefix + "attn.out_proj.weight"]
    x = x + torch.cat(outputs, dim=1) @ out_weight.T + state[prefix + "attn.out_proj.bias"]
    y = layer_norm(x, state[prefix + "ln_2.weight"], state[prefix + "ln_2.bias"])
    y = y @ state[prefix + "mlp.c_fc.weight"].T + state[prefix + "mlp.c_fc.bias"]
    y = y * torch.sigmoid(1.702 * y)
    y = y @ state[prefix + "mlp.c_proj.weight"].T + state[prefix + "mlp.c_proj.bias"]
    return x + y, sum(maps) / heads
