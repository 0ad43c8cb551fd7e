"""What all benchmarks share: times, the machine's peak, a table and a JSON record."""

import datetime
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from weclip.system.provenance import versions


def device() -> str:
    """Where benchmarks run."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def now() -> float:
    """Seconds, after the device has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(function: Callable[[], Any], repeats: int = 5) -> float:
    """Median time of a call after one that warms up."""
    function()
    times = []
    for _ in range(repeats):
        start = now()
        function()
        times.append(now() - start)
    return sorted(times)[len(times) // 2]


def matrix_peak(dtype: torch.dtype) -> float:
    """Measured FLOP per second of matrix products of the encoder's size."""
    a = torch.randn(1604, 3072, device=device()).to(dtype)
    b = torch.randn(3072, 3072, device=device()).to(dtype)
    return 2 * 1604 * 3072**2 / seconds(lambda: a @ b)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; all columns but the first are numbers."""
    table = Table(title=title)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def write(out: Path | None, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON with date, commit, device and versions, if `out` is given."""
    if out is not None:
        record = {"date": datetime.date.today().isoformat(), "versions": versions(), **figures}
        out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
