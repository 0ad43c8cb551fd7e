"""Patch-text maps of one image, number by number."""

import math

import numpy as np


def patch_text(embedding, texts, tags):
    """Maps (K, N) of tags from unit rows (1+N, J), class token first, and unit texts (M, J)."""
    count = len(texts)
    exponents = [math.exp(2 * float(embedding[0] @ text)) for text in texts]
    share = [e / sum(exponents) for e in exponents]
    weight = [s / (sum(share) / count) for s in share]
    maps = []
    for tag in tags:
        values = []
        for patch in embedding[1:]:
            weighted = [weight[j] * float(patch @ texts[j]) for j in range(count)]
            values.append(weighted[tag] - sum(weighted) / count)
        low = min(values)
        high = max(v - low for v in values)
        maps.append([(v - low) / (1e-7 + high) for v in values])
    return np.array(maps)
