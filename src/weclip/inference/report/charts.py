"""Charts as text: a line chart in SVG and grouped horizontal bars in HTML, without a script.

Stage 6; used by the report. Colours come from the page's CSS, so that they follow its theme.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from weclip.inference.scores.record import percent

_WIDTH, _HEIGHT = 420, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 10, 40  # margins


def line_chart(points: Sequence[tuple[float, float]], *, x_label: str, name: str) -> str:
    """One curve with axes, ticks and labels; values that are not finite are left out.

    Args:
        points: (x, y) in any order.
        x_label: Text under the horizontal axis.
        name: What the curve shows, for readers who cannot see it.

    Returns:
        An `<svg>` element, or a sentence if there is nothing to draw.
    """
    points = sorted((x, y) for x, y in points if math.isfinite(x) and math.isfinite(y))
    if not points:
        return '<p class="muted">No values.</p>'
    xs, ys = [x for x, _ in points], [y for _, y in points]
    # A scale from 0 is honest about size; far from 0 it would only flatten the curve.
    low = 0.0 if 0 <= min(ys) <= 0.6 * max(ys) else min(ys)
    x_ticks, y_ticks = nice_ticks(xs[0], xs[-1], 5), nice_ticks(low, max(ys), 5)
    x0, x1 = xs[0], max(xs[-1], xs[0] + 1e-9)
    y0, y1 = min(low, y_ticks[0]), max(y_ticks[-1], max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x0) / (x1 - x0) * (_WIDTH - _LEFT - _RIGHT)
        up = (y - y0) / (y1 - y0 or 1) * (_HEIGHT - _TOP - _BOTTOM)
        return _LEFT + across, _HEIGHT - _BOTTOM - up

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)}: '
        f'{len(points)} values, last {points[-1][1]:.4g}">'
    ]
    for tick in y_ticks:
        _, y = place(x0, tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        )
    bottom = _HEIGHT - _BOTTOM
    parts.append(
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'
    )
    for tick in x_ticks:
        if not x0 <= tick <= x1:
            continue
        x, _ = place(tick, y0)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{_short(tick)}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>'
    )
    placed = [place(x, y) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    x, y = placed[-1]
    parts.append(f'<polyline class="curve" points="{path}"/>')
    parts.append(f'<circle class="last" cx="{x:.1f}" cy="{y:.1f}" r="3"/></svg>')
    return "".join(parts)


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten apart) that span [low, high].

    The first is at or below `low`, the last at or above `high`; about `count` of them.

    >>> nice_ticks(0, 0.9, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if high <= low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def class_bars(
    series: Mapping[str, Mapping[str, float | None]], *, colours: Mapping[str, str]
) -> str:
    """Grouped horizontal bars of IoU per class, best class of the last series first.

    Args:
        series: Series name -> class name -> IoU in [0, 1] or None.
        colours: Series name -> CSS class of its colour.

    Returns:
        A legend and the bars, HTML; classes without any value are named below.
    """
    if not series:
        return '<p class="muted">No scores.</p>'
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    shown = [n for n in names if any(values.get(n) is not None for values in series.values())]
    last = list(series.values())[-1]
    shown.sort(key=lambda name: -(last.get(name) or 0.0))
    legend = "".join(
        f'<li><span class="swatch {colours[name]}"></span>{escape(name)}</li>' for name in series
    )
    rows = []
    for name in shown:
        bars = "".join(
            _bar(values.get(name), colours[label], label) for label, values in series.items()
        )
        rows.append(
            f'<div class="class-row"><div class="class-name">{escape(name)}</div>'
            f'<div class="class-bars">{bars}</div></div>'
        )
    absent = [escape(name) for name in names if name not in shown]
    note = f'<p class="muted">Not in the ground truth: {", ".join(absent)}.</p>' if absent else ""
    return f'<ul class="legend">{legend}</ul><div class="bars">{"".join(rows)}</div>{note}'


def _bar(value: float | None, colour: str, label: str) -> str:
    width = 0.0 if value is None else 100 * value
    return (
        f'<div class="track" title="{escape(label)}"><div class="bar {colour}" '
        f'style="width:{width:.1f}%"></div><span class="value">{percent(value)}</span></div>'
    )


def _short(value: float) -> str:
    """A step count that fits under a tick."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}"
