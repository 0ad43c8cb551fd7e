"""CLIP-ES of one image, from pixels to scores, on a plain dict of weights; no PAR, no CRF."""

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tests.literal.box_mask import box_mask
from tests.literal.gradcam import attention, gradcam, layer_norm, min_max
from tests.literal.sinkhorn import propagate, transition

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def resized(image, patch):
    """The image (H, W, 3) uint8 as (3, H', W') normalised, of whole patches, rounded up."""
    height, width = image.shape[:2]
    size = (math.ceil(width / patch) * patch, math.ceil(height / patch) * patch)
    pixels = np.asarray(Image.fromarray(image).resize(size, Image.BICUBIC)) / 255
    return torch.tensor((pixels - np.array(MEAN)) / np.array(STD)).permute(2, 0, 1)


def patch_tokens(state, image, patch):
    """Tokens (1+N, D) that enter the first block, patch by patch, and the grid (h, w)."""
    kernel = state["visual.conv1.weight"]  # (D, 3, patch, patch)
    height, width = image.shape[1] // patch, image.shape[2] // patch
    tokens = [state["visual.class_embedding"]]
    for row in range(height):
        for column in range(width):
            cut = image[:, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            tokens.append((kernel * cut).sum((1, 2, 3)))
    positions = state["visual.positional_embedding"]
    native = math.isqrt(len(positions) - 1)
    grid = positions[1:].T.reshape(1, -1, native, native)
    grid = F.interpolate(grid, size=(height, width), mode="bilinear", align_corners=False)
    positions = torch.cat([positions[:1], grid[0].flatten(1).T])
    x = torch.stack(tokens) + positions
    return layer_norm(x, state["visual.ln_pre.weight"], state["visual.ln_pre.bias"]), (
        height,
        width,
    )


def run_block(state, index, heads, x):
    """Block `index` on tokens (T, D): its output and its attention averaged over heads."""
    prefix = f"visual.transformer.resblocks.{index}."
    one, two = ((state[f"{prefix}ln_{i}.weight"], state[f"{prefix}ln_{i}.bias"]) for i in (1, 2))
    attended, attention_map = attention(layer_norm(x, *one), state, prefix + "attn.", heads)
    x = x + attended
    hidden = layer_norm(x, *two) @ state[prefix + "mlp.c_fc.weight"].T
    hidden = hidden + state[prefix + "mlp.c_fc.bias"]
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    out = hidden @ state[prefix + "mlp.c_proj.weight"].T + state[prefix + "mlp.c_proj.bias"]
    return x + out, attention_map


def clip_es(state, image, texts, background, tags, *, scale, layers, theta, power=1.0):
    """Scores of one image.

    Args:
        state: OpenAI-layout weights, float64; heads are 64 channels wide.
        image: (H, W, 3) uint8.
        texts: (C-1, J) unit text features of the classes.
        background: (G, J) of the background words.
        tags: K class indices, at least one.
        scale: exp(logit_scale).
        layers: How many of the last attention maps are averaged.
        theta: Threshold of the boxes.
        power: Exponent of the background score.

    Returns:
        (1+K, H, W), background first.
    """
    patch = state["visual.conv1.weight"].shape[2]
    heads = len(state["visual.class_embedding"]) // 64
    blocks = 1 + max(int(k.split(".")[3]) for k in state if ".resblocks." in k)
    x, grid = patch_tokens(state, resized(image, patch), patch)
    maps = []
    for index in range(blocks - 1):
        x, attention_map = run_block(state, index, heads, x)
        maps.append(attention_map)
    _, attention_map = run_block(state, blocks - 1, heads, x)
    maps.append(attention_map)
    affinity = sum(m[1:, 1:] for m in maps[-layers:]) / len(maps[-layers:])
    matrix = transition(affinity.numpy())
    names = torch.cat([texts[list(tags)], background])
    found = []
    for slot in range(len(tags)):
        cam, _, _ = gradcam(
            state,
            block=blocks - 1,
            heads=heads,
            tokens=x,
            texts=names,
            tag=slot,
            scale=scale,
            grid=grid,
        )
        cam = cam.numpy()
        boxes = box_mask(cam.astype(np.float32), theta, exclusive_edge=False)
        refined = min_max(propagate(cam, matrix, boxes))
        found.append(cv2.resize(refined, image.shape[1::-1], interpolation=cv2.INTER_LINEAR))
    return np.stack([(1 - np.max(found, axis=0)) ** power, *found])
