"""`scenes.csv`: every scene with its numbers, those that the page has no room for too.

Stage 6. Names are written as `system.untrusted.text.shown` shows them.
"""

import csv
import io
from collections.abc import Sequence

from weclip.inference.report.overview.scene import Scene
from weclip.system.untrusted.text import shown

HEADS = "image split width height doubt tags nowhere untagged confidence unsure miou shares".split()


def scenes_csv(scenes: Sequence[Scene], names: Sequence[str]) -> str:
    """The file's text: a line for each scene, in their order; several classes with `;` between.

    Numbers that are not known are empty; `shares` has each class that is there.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADS)
    for scene in scenes:
        there = sorted(scene.shares.items(), key=lambda item: (-item[1], item[0]))
        writer.writerow(
            [
                shown(scene.name),
                shown(scene.split),
                scene.size[1],
                scene.size[0],
                f"{scene.doubt:.4f}",
                _names(scene.tag_ids, names),
                _names(scene.nowhere, names),
                _names(scene.untagged, names),
                _number(scene.confidence),
                f"{scene.unsure:.4f}",
                _number(scene.miou),
                ";".join(f"{shown(names[i])}={share:.4f}" for i, share in there),
            ]
        )
    return buffer.getvalue()


def _names(ids: Sequence[int], names: Sequence[str]) -> str:
    return ";".join(shown(names[i]) for i in ids)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
