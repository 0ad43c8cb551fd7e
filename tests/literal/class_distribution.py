"""Class-distribution affinity of one image, pair by pair."""

import math

import numpy as np


def distribution(embedding, texts, scale):
    """Softmax (N, M) of scaled cosines of unit rows (1+N, J), class token first, and texts."""
    rows = []
    for patch in embedding[1:]:
        exponents = [math.exp(scale * float(patch @ text)) for text in texts]
        rows.append([e / sum(exponents) for e in exponents])
    return np.array(rows)


def divergence(p, q):
    """Kullback-Leibler divergence in bits."""
    return sum(a * math.log2(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def similarity(shares):
    """1 - Jensen-Shannon divergence of all pairs of rows (N, M)."""
    size = len(shares)
    result = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            middle = (shares[i] + shares[j]) / 2
            result[i, j] = 1 - (divergence(shares[i], middle) + divergence(shares[j], middle)) / 2
    return result


def affinity(alike, attention, temperature):
    """Row by row softmax of (N, N) over `temperature`, times attention, rows summing to 1."""
    result = np.zeros_like(alike)
    for i, row in enumerate(alike):
        exponents = [math.exp(v / temperature) for v in row]
        product = [e / sum(exponents) * a for e, a in zip(exponents, attention[i], strict=True)]
        result[i] = [v / sum(product) for v in product]
    return result
