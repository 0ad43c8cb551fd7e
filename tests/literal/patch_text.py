"""Patch-text maps of one image, number by number."""

import math

import numpy as np


def patch_text(embedding, texts, tags, *, with_class_token=False):
    """Maps (K, N) of tags from rows (1+N, J), class token first, and unit texts (M, J).

    `with_class_token`: it counts for the least and greatest value of a map, as released.
    """
    count = len(texts)
    exponents = [math.exp(2 * float(embedding[0] @ text)) for text in texts]
    share = [e / sum(exponents) for e in exponents]
    weight = [s / (sum(share) / count) for s in share]
    maps = []
    for tag in tags:
        values = []
        for token in embedding:
            weighted = [weight[j] * float(token @ texts[j]) for j in range(count)]
            values.append(weighted[tag] - sum(weighted) / count)
        ranged = values if with_class_token else values[1:]
        low, high = min(ranged), max(ranged)
        maps.append([(v - low) / (high - low) for v in values[1:]])
    return np.array(maps)
