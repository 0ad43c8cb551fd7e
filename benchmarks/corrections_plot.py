"""The curve of docs/review.md: python corrections_plot.py FILE.jsonl PICTURE.svg."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

Row = Mapping[str, Any]
WIDTH, HEIGHT = 620, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 16, 48
COLOURS = ("#1f6feb", "#8b949e", "#d29922", "#2da44e")


def curves(rows: Sequence[Row], kind: str) -> dict[str, list[tuple[int, list[float]]]]:
    """Order -> (k, gains in points of each seed over no correction), of orders with several k."""
    none = {row["seed"]: row["miou"] for row in rows if not row["k"]}
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if row["kind"] == kind and row["seed"] in none:
            gain = 100 * (row["miou"] - none[row["seed"]])
            found.setdefault(row["order"], {}).setdefault(row["k"], []).append(gain)
    zero = [0.0] * len(none)
    return {
        order: [(0, zero), *sorted(points.items())]
        for order, points in found.items()
        if len(points) > 1
    }


def drawn(found: Mapping[str, list[tuple[int, list[float]]]]) -> str:
    """The curves through the means of the seeds, with a dot for each seed, as SVG."""
    values = [v for points in found.values() for _, gains in points for v in gains]
    low, high = min(values) - 0.1, max(values) + 0.1
    most = max(k for points in found.values() for k, _ in points)

    def at(k: float, gain: float) -> tuple[float, float]:
        across = LEFT + k / most * (WIDTH - LEFT - RIGHT)
        return across, TOP + (high - gain) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13" fill="#57606a">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for step in range(-2, 10):
        gain = step / 2
        if low <= gain <= high:
            x, y = at(0, gain)
            parts.append(f'<path d="M{x} {y:.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
            parts.append(f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{gain:+.1f}</text>')
    for k in sorted({k for points in found.values() for k, _ in points}):
        if k in (20, 50):
            continue  # their labels would lie on each other
        x, _ = at(k, low)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 28}" text-anchor="middle">{k}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">images corrected, of 2,000; '
        "points of mIoU gained</text>"
    )
    for colour, (order, points) in zip(COLOURS, found.items(), strict=False):
        placed = [at(k, mean(gains)) for k, gains in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        )
        for k, gains in points:
            for x, y in (at(k, gain) for gain in gains):
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        x, y = placed[-1]
        parts.append(f'<text x="{x + 12:.1f}" y="{y + 4:.1f}" fill="{colour}">{order}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Read the trainings and write the picture."""
    source, target = map(Path, sys.argv[1:])
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    target.write_text(drawn(curves(rows, "both")))


if __name__ == "__main__":
    main()
