"""The table of a reproduction: published numbers, ours, and the difference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weclip.config import Config
from weclip.inference.scores.record import protocol_text
from weclip.system.files import write_json, write_text
from weclip.system.provenance import versions
from weclip.tasks.reproduce.published import MAPS, SPLITS, Row
from weclip.tasks.reproduce.stages import Request, seeds_of, stage_name, stages

RECORD_NAME = "reproduction.json"
TABLE_NAME = "table.md"
NOTHING = "-"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of the table.

    Attributes:
        protocol: How it is scored.
        published: mIoU in %, if it was published.
        ours: mIoU in % by seed; what is not trained has one of the seed `-`.
        mean: Of these; None where nothing is scored.
        deviation: Their sample standard deviation; None of less than two.
        difference: Ours minus published.
        state: `scored`, or why there is no score.
        source: Where the number was published, and what else is known.
    """

    protocol: str
    published: float | None
    ours: dict[str, float]
    mean: float | None
    deviation: float | None
    difference: float | None
    state: str
    source: str

    def cells(self) -> tuple[str, str, str, str]:
        """What is shown of it."""
        ours = self.state
        if self.mean is not None:
            spread = "" if self.deviation is None else f" ± {self.deviation:.1f}"
            ours = f"{self.mean:.1f}{spread}"
        difference = NOTHING if self.difference is None else f"{self.difference:+.1f}"
        published = NOTHING if self.published is None else f"{self.published:.1f}"
        return self.protocol, published, ours, difference


def lines(
    request: Request,
    config: Config,
    results: Mapping[str, Mapping[str, Any]],
    reasons: Mapping[str, str],
) -> list[Line]:
    """The rows.

    Args:
        request: What is reproduced.
        config: Configuration of the stages.
        results: What finished stages gave, by name.
        reasons: Why a stage is not run, by name.
    """
    return [_line(request, row, config, results, reasons) for row in request.table.rows]


def _line(
    request: Request,
    row: Row,
    config: Config,
    results: Mapping[str, Mapping[str, Any]],
    reasons: Mapping[str, str],
) -> Line:
    names = {seed: stage_name(row, seed) for seed in seeds_of(request)}
    ours = {
        NOTHING if seed is None else str(seed): 100 * results[name]["miou"][row.scored]
        for seed, name in names.items()
        if "miou" in results.get(name, {})
    }
    average = mean(ours.values()) if len(ours) == len(names) else None
    known = average is not None and row.published is not None
    return Line(
        protocol=protocol_of(row, config),
        published=row.published,
        ours=ours,
        mean=average,
        deviation=stdev(ours.values()) if average is not None and len(ours) > 1 else None,
        difference=average - row.published if known else None,  # type: ignore[operator]
        state=_state(list(names.values()), results, reasons) if average is None else "scored",
        source="; ".join(filter(None, (row.source, row.also))),
    )


def _state(
    names: Sequence[str], results: Mapping[str, Mapping[str, Any]], reasons: Mapping[str, str]
) -> str:
    """Why a row has no score."""
    archives = [
        str(results[name]["archive"]) for name in names if "archive" in results.get(name, {})
    ]
    if len(archives) == len(names):
        return f"for the server: {', '.join(archives)}"
    missing = next((reasons[name] for name in names if name in reasons), None)
    return "not run yet" if missing is None else f"not run: needs {missing}"


def protocol_of(row: Row, config: Config) -> str:
    """How a row is scored, in one line."""
    if row.scored == MAPS:
        use, crf = config.label, "CRF" if row.crf else "no CRF"
        ends = (row.variant, "PAR" if use.par else "", crf, use.precision)
        tags = "no tags" if use.any_class else "tags given"
        return "; ".join((f"{row.split}: maps", *filter(None, ends), tags))
    tested, segments = config.eval, row.scored == "Segmentation"
    protocol = {
        "long_side": tested.side,
        "scales": tested.scales if segments else (1.0,),
        "scale_merge": tested.scale_merge if segments else "mean",
        "flip": tested.flip and segments,
        "crf": row.crf,
        "precision": tested.precision,
        "tags_used": not segments,
    }
    text = protocol_text({"kind": row.scored, "protocol": protocol})
    return f"{row.split}: {row.scored.lower()}; {text}".replace("cam;", "CAM;")


def notes(
    request: Request, changed: Sequence[str], results: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """What has to be said of the numbers: first why they are no reproduction, if they are none."""
    found = [f"changed: {', '.join(changed)}"] if changed else []
    known = SPLITS[request.table.data]
    for result in results.values():
        found += [
            f"{split} has {count:,} images, published: {known[split]:,}"
            for split, count in result.get("images", {}).items()
            if count != known.get(split, count)
        ]
    if found:
        found.insert(0, "no reproduction, since it differs from what was published")
    if len(seeds_of(request)) > 1:
        seeds = ", ".join(map(str, request.seeds))
        found.append(f"ours: mean and sample standard deviation of the seeds {seeds}")
    return found


def rich_table(request: Request, rows: Sequence[Line], said: Sequence[str]) -> Table:
    """The table for the terminal."""
    shown = Table(title=f"{request.table.title}, mIoU in %", caption=escape("\n".join(said)))
    shown.add_column("Protocol")
    for name in ("Published", "Ours", "Difference"):
        shown.add_column(name, justify="right", overflow="fold")
    for row in rows:
        shown.add_row(*map(escape, row.cells()))
    return shown


def write_results(
    request: Request, rows: Sequence[Line], said: Sequence[str], seconds: Mapping[str, float]
) -> None:
    """Write `reproduction.json` and `table.md`."""
    known = versions()
    date = datetime.now().astimezone().isoformat(timespec="minutes")
    record = {
        "name": request.table.name,
        "title": request.table.title,
        "notes": list(said),
        "seeds": list(request.seeds) if request.table.method is None else [],
        "rows": [asdict(row) for row in rows],
        "stages": [
            {"name": each.name, "command": each.command, "seconds": seconds.get(each.name)}
            for each in stages(request)
        ],
        "versions": known,
        "date": date,
    }
    write_json(request.out / RECORD_NAME, record)
    text = "\n".join(_markdown(request, rows, said, f"{_made_with(known)}; {date}"))
    write_text(request.out / TABLE_NAME, text + "\n")


def _markdown(
    request: Request, rows: Sequence[Line], said: Sequence[str], made: str
) -> Iterator[str]:
    yield f"# {request.table.title}\n"
    yield "mIoU in %, of the whole split's confusion matrix.\n"
    yield "| Protocol | Published | Ours | Difference | Source |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| {' | '.join((*row.cells(), row.source or NOTHING))} |"
    yield ""
    yield from (f"- {text}" for text in said)
    yield f"\n{made}"


def _made_with(known: Mapping[str, str]) -> str:
    packages = ", ".join(f"{k} {v}" for k, v in known.items() if k not in ("device", "commit"))
    return f"{packages}; commit {known['commit']}; {known['device']}"


def show(request: Request, rows: Sequence[Line], said: Sequence[str], console: Console) -> None:
    """Show the table, and where it is kept."""
    console.print(rich_table(request, rows, said))
    for name in (TABLE_NAME, RECORD_NAME):
        path: Path = request.out / name
        console.print(f"{path}", soft_wrap=True, markup=False, highlight=False)
