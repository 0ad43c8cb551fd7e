"""Classes in a report: images, share of pixels, tags found, IoU; and what is taken for what.

Stage 6. IoU and the confusion matrix are there only where masks are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weclip.data.masks.colours import RGB
from weclip.inference.report.overview.html import (
    bar,
    number_of,
    percent_of,
    plain,
    swatch,
    table,
    text,
)
from weclip.inference.report.overview.scene import NOWHERE, Scene

SHOWN = 24
"""Classes in the matrix; of more classes those that are confused most."""

NAMED = 10
"""Confusions in the list."""

Matrix = NDArray[np.int64]
"""(C, C) pixels by true class (row) and predicted class (column)."""


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class in numbers.

    Attributes:
        class_id: 0 is background.
        images: Training images with its tag; None where no tags are known, and of background.
        seen: Scenes looked at that it is found in.
        share: Mean share of the pixels, over the scenes that were looked at.
        tagged: Scenes looked at that have its tag.
        found: How many of these it is found in.
        untagged: Scenes looked at in which it is found though no tag says it.
        iou: In [0, 1]; None without masks, or where they do not hold it.
    """

    class_id: int
    images: int | None
    seen: int
    share: float
    tagged: int
    found: int
    untagged: int
    iou: float | None


def class_rows(
    scenes: Sequence[Scene],
    *,
    num_classes: int,
    images: Sequence[int] | None,
    iou: Sequence[float | None] | None,
) -> list[ClassRow]:
    """Sum up scenes by class.

    Args:
        scenes: All that were looked at.
        num_classes: C, with background.
        images: Training images with each tag (C-1), if tags are known.
        iou: IoU (C) where there are masks.
    """
    rows = []
    for i in range(num_classes):
        tagged = [scene for scene in scenes if i in scene.tag_ids]
        rows.append(
            ClassRow(
                class_id=i,
                images=None if images is None or i == 0 else images[i - 1],
                seen=sum(scene.shares.get(i, 0.0) >= NOWHERE for scene in scenes),
                share=sum(scene.shares.get(i, 0.0) for scene in scenes) / max(1, len(scenes)),
                tagged=len(tagged),
                found=sum(i not in scene.nowhere for scene in tagged),
                untagged=sum(i in scene.untagged for scene in scenes),
                iou=None if iou is None else iou[i],
            )
        )
    return rows


def class_table(rows: Sequence[ClassRow], names: Sequence[str], colours: Sequence[RGB]) -> str:
    """One line for each class; columns that say nothing here are left out."""
    with_tags = any(row.images is not None for row in rows)
    with_untagged = with_tags and any(row.untagged for row in rows)
    with_masks = any(row.iou is not None for row in rows)
    heads = ["class", "share of pixels"]
    heads += ["images", "tag found"] if with_tags else ["found in"]
    heads += ["without its tag"] if with_untagged else []
    heads += ["IoU"] if with_masks else []
    cells = []
    for row in rows:
        line = [swatch(colours[row.class_id]) + text(names[row.class_id]), percent_of(row.share)]
        if with_tags:
            found = f"{row.found} of {row.tagged}" if row.tagged else "–"
            line += ["–" if row.images is None else f"{row.images:,}", found]
        else:
            line.append(number_of(row.seen, "image"))
        if with_untagged:
            line.append("–" if row.class_id == 0 else str(row.untagged))
        if with_masks:
            line.append("–" if row.iou is None else bar(row.iou, f"{100 * row.iou:.1f}"))
        cells.append(line)
    last = len(heads) - 1
    return table(heads, cells, numbers=set(range(1, last if with_masks else last + 1)))


def confusions(matrix: Matrix) -> list[tuple[int, int, float]]:
    """What is taken for what: true class, predicted class, share of the true pixels.

    Largest share first, from 1 % on.

    >>> confusions(np.array([[8, 2], [0, 4]]))
    [(0, 1, 0.2)]
    """
    shares = row_shares(matrix)
    np.fill_diagonal(shares, 0)
    pairs = np.argwhere(shares >= 0.01)
    found = [(int(t), int(p), float(shares[t, p])) for t, p in pairs]
    return sorted(found, key=lambda each: (-each[2], each[0], each[1]))


def row_shares(matrix: Matrix) -> NDArray[np.float64]:
    """(C, C) shares of each row; 0 where a class has no pixel."""
    total = matrix.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = matrix / np.maximum(total, 1)
    return shares


def confusion_table(matrix: Matrix, names: Sequence[str]) -> str:
    """The matrix in per cent of each true class, and the largest confusions as sentences."""
    shares = row_shares(matrix)
    there = [i for i in range(len(names)) if matrix[i].any() or matrix[:, i].any()]
    wrong = matrix.sum(axis=1) + matrix.sum(axis=0) - 2 * matrix.diagonal()
    kept = sorted(sorted(there, key=lambda i: (-int(wrong[i]), i))[:SHOWN])
    heads = ["true ↓ &nbsp; predicted →", *(text(names[i]) for i in kept)]
    rows = []
    for i in kept:
        cells = "".join(_cell(shares[i, j], names[i], names[j], own=i == j) for j in kept)
        rows.append(f'<tr><th scope="row">{text(names[i])}</th>{cells}</tr>')
    head = "".join(f'<th scope="col"><span>{each}</span></th>' for each in heads)
    note = (
        f'<p class="muted">The {SHOWN} of {len(there)} classes with most confused pixels.</p>'
        if len(kept) < len(there)
        else ""
    )
    items = "".join(
        f"<li>{percent_of(share)} of <b>{text(names[true])}</b> is taken for "
        f"<b>{text(names[predicted])}</b></li>"
        for true, predicted, share in confusions(matrix)[:NAMED]
    )
    listed = f'<ol class="confused">{items}</ol>' if items else ""
    return (
        f'<div class="scroll" tabindex="0"><table class="matrix"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{note}{listed}"
    )


def _cell(share: float, true: str, predicted: str, *, own: bool) -> str:
    """A cell whose colour says how much it is; right ones in another colour than wrong ones."""
    kind = "right" if own else "wrong"
    shown = "" if share < 0.005 else f"{100 * share:.0f}"
    title = f"{plain(true)}, predicted {plain(predicted)}: {percent_of(share)}"
    return f'<td class="{kind}" style="--s:{share:.3f}" title="{title}">{shown}</td>'
