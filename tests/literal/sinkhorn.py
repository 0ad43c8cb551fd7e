"""The transition of section 4 for one image, sum by sum."""

import numpy as np


def transition(affinity):
    """Transition of one affinity (N, N), float64."""
    size = len(affinity)
    result = affinity.copy()
    for _ in range(3):
        for column in range(size):
            result[:, column] = result[:, column] / sum(result[i, column] for i in range(size))
        for row in range(size):
            result[row] = result[row] / sum(result[row, j] for j in range(size))
    symmetric = np.zeros_like(result)
    for i in range(size):
        for j in range(size):
            symmetric[i, j] = (result[i, j] + result[j, i]) / 2
    return symmetric @ symmetric


def propagate(cam, matrix, mask):
    """`(T * mask_row) @ cam` for one map (h, w) and its box mask (h, w)."""
    masked_columns = matrix * mask.reshape(1, -1)
    return (masked_columns @ cam.reshape(-1, 1)).reshape(cam.shape)
