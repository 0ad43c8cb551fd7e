"""Merging of regions, one pair at a time, with everything computed anew."""


def merged(ids, features, limit):
    """Groups of regions (lists of rows), merged while the cheapest costs at most `limit`."""
    pixels = [each for row in ids for each in row]
    groups = [[region] for region in range(len(features))]
    while True:
        pairs = [
            (cost(groups[i], groups[j], pixels, features), i, j)
            for i in range(len(groups))
            for j in range(i + 1, len(groups))
            if touch(groups[i], groups[j], ids)
        ]
        if not pairs or min(pairs)[0] > limit:
            break
        _, i, j = min(pairs)
        groups[i] = groups[i] + groups[j]
        del groups[j]
    groups = sorted(groups, key=min)
    place = {region: number for number, group in enumerate(groups) for region in group}
    return [[place[each] for each in row] for row in ids]


def touch(one, other, ids):
    for y, row in enumerate(ids):
        for x, here in enumerate(row):
            beside = [row[x + 1]] if x + 1 < len(row) else []
            below = [ids[y + 1][x]] if y + 1 < len(ids) else []
            for there in beside + below:
                if (here in one and there in other) or (here in other and there in one):
                    return True
    return False


def cost(one, other, pixels, features):
    means, shares = [], []
    for group in (one, other):
        inside = [each for each in pixels if each in group]
        shares.append(len(inside) / len(pixels))
        columns = zip(*(features[each] for each in inside), strict=True)
        means.append([sum(values) / len(inside) for values in columns])
    apart = sum((a - b) ** 2 for a, b in zip(*means, strict=True))
    return shares[0] * shares[1] / sum(shares) * apart
