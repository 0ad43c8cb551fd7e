"""ExCEL without its training as published, of one image, stage by stage.

Stages are named after the golden tensors. The second path starts where the last `PATH` blocks do.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from tests.literal.box_mask import box_mask
from tests.literal.clip_es import patch_tokens
from tests.literal.gradcam import layer_norm, min_max
from tests.literal.sinkhorn import propagate, transition

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet's
PATH, MAPS = 5, 6


def network_input(image, side):
    """(1, 3, side, side) of (H, W, 3) uint8: normalised, then bilinear, whatever its shape."""
    pixels = torch.tensor((image - np.array(MEAN)) / np.array(STD)).permute(2, 0, 1)
    return F.interpolate(pixels[None], (side, side), mode="bilinear", align_corners=False)


def enrich(text, descriptions, classes, share=0.9):
    """Texts (M, J), of which the first `classes` get their most similar descriptions; unit rows."""
    left_out = int((1 - share) * len(descriptions))
    rows = []
    for index, own in enumerate(text):
        if index < classes:
            cosine = descriptions @ own
            cosine[cosine.argsort()[:left_out]] = -torch.inf
            own = cosine.softmax(dim=0) @ descriptions + own
        rows.append(own / own.norm())
    return torch.stack(rows)


def two_paths(state, image):
    """Joint space (1+N, J), not yet unit, and the last `MAPS` maps (1+N, 1+N), of one image."""
    patch = state["visual.conv1.weight"].shape[2]
    x, grid = patch_tokens(state, image, patch)
    heads, maps, path = x.shape[1] // 64, [], None
    for index in range(12):
        prefix = f"visual.transformer.resblocks.{index}."
        surgery = index >= 12 - PATH
        if index == 12 - PATH:
            path = x
        y = layer_norm(x, state[prefix + "ln_1.weight"], state[prefix + "ln_1.bias"])
        joint = y @ state[prefix + "attn.in_proj_weight"].T + state[prefix + "attn.in_proj_bias"]
        normal, alike, values = [], 0, []
        for head in range(heads):
            parts = [part[:, 64 * head : 64 * head + 64] for part in joint.chunk(3, dim=1)]
            normal.append((parts[0] @ parts[1].T / 8).softmax(dim=1))
            alike = alike + sum((own @ own.T / 8).softmax(dim=1) for own in parts) / 3
            values.append(parts[2])
        weight, bias = (state[f"{prefix}attn.out_proj.{name}"] for name in ("weight", "bias"))
        if surgery:  # attention alike, added over heads, on every head's values; no MLP
            path = path + torch.cat([alike @ v for v in values], dim=1) @ weight.T + bias
        attended = torch.cat([a @ v for a, v in zip(normal, values, strict=True)], dim=1)
        x = x + attended @ weight.T + bias
        y = layer_norm(x, state[prefix + "ln_2.weight"], state[prefix + "ln_2.bias"])
        y = y @ state[prefix + "mlp.c_fc.weight"].T + state[prefix + "mlp.c_fc.bias"]
        y = y * torch.sigmoid(1.702 * y)
        x = x + y @ state[prefix + "mlp.c_proj.weight"].T + state[prefix + "mlp.c_proj.bias"]
        maps.append(sum(normal) if surgery else sum(normal) / heads)
    path = torch.cat([x[:1], path[1:]])  # the class token is that of the first path
    path = layer_norm(path, state["visual.ln_post.weight"], state["visual.ln_post.bias"])
    return path @ state["visual.proj"], torch.stack(maps[-MAPS:]), grid


def patch_text(embedding, text, tags):
    """Maps (K, N) of tags in [0, 1], from rows (1+N, J) and unit texts (M, J)."""
    weight = (2 * text @ embedding[0]).softmax(dim=0)
    weighted = embedding @ text.T * (weight / weight.mean())  # (1+N, M)
    distinct = weighted - weighted.mean(dim=1, keepdim=True)
    maps = []
    for tag in tags:
        low, high = distinct[:, tag].min(), distinct[:, tag].max()  # with the class token
        maps.append((distinct[1:, tag] - low) / (high - low))
    return torch.stack(maps)


def excel(state, image, text, tags, *, side, theta):
    """Every stage from an image (H, W, 3) uint8 to scores; PAR follows on `par_image`."""
    out = {"input": network_input(image, side).to(text.dtype)}
    out["embedding_raw"], out["attention"], grid = two_paths(state, out["input"][0])
    out["embedding"] = out["embedding_raw"] / out["embedding_raw"].norm(dim=0, keepdim=True)
    out["cam"] = patch_text(out["embedding"], text, tags).view(-1, *grid)
    out["affinity"] = out["attention"][:, 1:, 1:].mean(dim=0)
    matrix = transition(out["affinity"].numpy())
    out["transition"], refined, pixels = torch.tensor(matrix), [], []
    for cam in out["cam"].numpy():
        boxes = box_mask(cam.astype(np.float32), theta, exclusive_edge=True)
        refined.append(propagate(cam, matrix, boxes))
        pixels.append(cv2.resize(min_max(refined[-1]), image.shape[1::-1]))
    out["cam_refined"] = torch.tensor(np.stack(refined))
    out["scores"] = torch.tensor(np.stack([1 - np.max(pixels, axis=0), *pixels]))
    ids = torch.tensor([0, *(tag + 1 for tag in tags)])
    out["mask_plain"] = ids[out["scores"].argmax(dim=0)]
    size = image.shape[:2]
    out["par_image"] = F.interpolate(out["input"], size, mode="bilinear", align_corners=True)
    return out
