"""A bank of region features, word for word: slow, loops in place of products and pools."""

import numpy as np

IGNORED = 255


def nearest(keys, queries, count, left_out=()):
    """Rows and cosines of each query, most alike first, earlier rows before later ones."""
    found = []
    for query in queries:
        order = [
            (-float(np.dot(key, query)), row) for row, key in enumerate(keys) if row not in left_out
        ]
        found.append([(row, -negative) for negative, row in sorted(order)[:count]])
    return found


def eroded(mask, rounds):
    """So many erosions with a square of 3 x 3; outside of the image is inside of the mask."""
    mask = np.array(mask, bool)
    for _ in range(rounds):
        around = np.pad(mask, 1, constant_values=True)
        smaller = np.ones_like(mask)
        for y in range(3):
            for x in range(3):
                smaller &= around[y : y + mask.shape[0], x : x + mask.shape[1]]
        mask = smaller
    return mask


def patch_weights(mask, patch):
    """Share of each patch's pixels in a mask; pixels beyond the image are not in it."""
    height, width = mask.shape
    shares = []
    for y in range(0, height, patch):
        for x in range(0, width, patch):
            inside = mask[y : y + patch, x : x + patch].sum()
            shares.append(inside / patch**2)
    return np.array(shares)


def kept(features, classes, share, background):
    """Which rows are not among the farthest of their class."""
    stays = [True] * len(features)
    for each in set(classes):
        rows = [i for i, c in enumerate(classes) if c == each]
        mean = sum(features[i] for i in rows) / len(rows)
        far = sorted(rows, key=lambda i: -np.linalg.norm(features[i] - mean))
        for i in far[: int((share if each else background) * len(rows))]:
            stays[i] = False
    return stays


def named(classes, similarity):
    """The class that neighbours vote for, and the mean similarity of those who did."""
    votes, sums, first = {}, {}, {}
    for place, (each, alike) in enumerate(zip(classes, similarity, strict=True)):
        votes[each] = votes.get(each, 0) + 1
        sums[each] = sums.get(each, 0.0) + alike
        first.setdefault(each, place)
    best = max(votes, key=lambda each: (votes[each], sums[each], -first[each]))
    return best, sums[best] / votes[best]


def label_map(masks, classes, scores, most_overlap):
    """Regions of a class suppress each other; those that stay are painted, the best ones first."""
    order = sorted(range(len(masks)), key=lambda i: -scores[i])
    stays = []
    for i in order:
        rivals = [j for j in stays if classes[j] == classes[i]]
        if all(_overlap(masks[i], masks[j]) <= most_overlap for j in rivals):
            stays.append(i)
    label = np.zeros(masks[0].shape, int)
    for i in stays:
        if classes[i]:
            label[masks[i] & (label == 0)] = classes[i]
    return label


def _overlap(one, other):
    return (one & other).sum() / ((one | other).sum() + 1e-8)


def region_means(maps, ids, unit):
    """Means over each region's pixels of maps (J, H, W) of the image's size."""
    found = {}
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            feature = maps[:, y, x]
            feature = feature / np.linalg.norm(feature) if unit else feature
            found.setdefault(int(ids[y, x]), []).append(feature)
    return {each: sum(rows) / len(rows) for each, rows in found.items()}
