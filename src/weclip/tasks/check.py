"""`weclip check`: read all that training would read, once, and say what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weclip.backbones.clip.tokenizer import count_tokens
from weclip.config import Config
from weclip.config_schema import PART_SECTIONS
from weclip.data.classes import ClassList
from weclip.data.dataset import Dataset
from weclip.data.images.listing import AUTO
from weclip.data.images.reading import PLAIN, Reading
from weclip.data.inspection.accounting import account
from weclip.data.inspection.file_facts import facts_of
from weclip.data.inspection.findings import Range, Report, Splits, SplitSummary, make_report
from weclip.data.inspection.names import name_warnings
from weclip.system.console import QUIET, warnings_of
from weclip.system.errors import InputError
from weclip.system.files import kind_of, write_json
from weclip.system.locks import working_on
from weclip.system.untrusted.text import shown
from weclip.tasks.corrections.applied import apply_corrections
from weclip.tasks.datasets import open_configured, untagged
from weclip.training.runlog import progress_bar

KIND = "check"
UNUSED = ("clip.weights", *PART_SECTIONS)
"""What of the configuration checking does without."""
OF_TAGS = ("untrained_classes", "one_sided_classes", "untagged_images")
"""Findings that mean nothing before CLIP has made the tags."""
SHOWN_EXAMPLES = 3
SHOWN_PAIRS = 10
COLOURS = {"error": "red", "warning": "yellow", "information": "cyan"}


def check(
    config: Config,
    *,
    console: Console = QUIET,
    json_file: Path | None = None,
    suspects: Path | None = None,
) -> int:
    """Check the data that a configuration trains and is scored on, and show tables and findings.

    Args:
        config: Resolved configuration; only `data` and `faithful` are read.
        console: Where the report is shown; by default nowhere.
        json_file: Where the whole record is written too.
        suspects: Where the tags that CLIP doubts are listed, which reads its weights.

    Returns:
        Exit code: 0 if there is nothing to do, 1 with warnings only, 2 with errors.

    Raises:
        InputError: Lists, tags or files are missing or wrong, as in training.
    """
    report = examine(config, console=console, json_file=json_file, suspects=suspects)
    return 2 if report.count("error") else 1 if report.count("warning") else 0


def examine(
    config: Config,
    *,
    console: Console = QUIET,
    json_file: Path | None = None,
    suspects: Path | None = None,
) -> Report:
    """As `check`; what was found."""
    if suspects is not None:
        _require_suspects(config, suspects)
    if json_file is None:
        return _check(config, console, None, suspects)
    _require_free(json_file)
    with working_on(json_file, "check", option="--json"):
        return _check(config, console, json_file, suspects)


def _require_suspects(config: Config, path: Path) -> None:
    """What the list of doubtful tags needs, said before anything is read; PyTorch comes here."""
    from weclip.tasks.load.for_labels import require_clip_files
    from weclip.tasks.tag.suspects import require_free

    require_free(path)
    require_clip_files(untagged(config))


def _check(
    config: Config, console: Console, json_file: Path | None, suspects: Path | None
) -> Report:
    """As `examine`, with a file that is held."""
    dataset = open_configured(config, console, looks_at_masks=False)
    splits, classes = read_splits(config, dataset), dataset.classes
    applied = apply_corrections(config, classes, splits.train, console)
    if applied is not None:
        classes = applied.classes
        splits = replace(splits, train=applied.correct(splits.train, console))
        console.print(f"corrected: {applied.line}", soft_wrap=True, markup=False, highlight=False)
    extra = names_found(config, classes) | dataset.doubts()
    report = inspect(splits, classes, console, reading=config.data.reading, extra=extra)
    if config.data.tags_file == AUTO:  # no image has a tag yet
        findings = tuple(each for each in report.findings if each.kind not in OF_TAGS)
        report = replace(report, findings=findings)
        console.print("Tags are left to CLIP (data.tags_file=auto); none is counted here.")
    if json_file is not None:
        write_json(json_file, record(report, config))
    show(report, console)
    if suspects is not None:
        from weclip.tasks.tag.suspects import list_suspects

        list_suspects(config, dataset, console, suspects)
    return report


def read_splits(config: Config, dataset: Dataset) -> Splits:
    """Read lists and tags; an evaluation split that cannot be used is no error, as in training."""
    data = config.data
    train = dataset.read_split(data.train_split)
    masked, reason = dataset.read_eval_split(data.eval_split)
    named = (data.tags_file, data.classes, config.clip.descriptions, config.label.model)
    rest = account(dataset.layout.holdings(), [Path(name) for name in named if name])
    return Splits(data.train_split, train, data.eval_split, masked, reason, rest)


def names_found(config: Config, classes: ClassList) -> dict[str, list[str]]:
    """What is odd about the names of classes, by kind of finding."""
    return name_warnings(classes, count_tokens, templates=config.clip.templates)


def inspect(
    splits: Splits,
    classes: ClassList,
    console: Console,
    *,
    reading: Reading = PLAIN,
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Report:
    """Read every file, with a progress bar, and sum up; `extra` is found already."""
    files = splits.files()
    facts = {}
    with (
        facts_of(files, num_classes=classes.num_classes, reading=reading) as found,
        progress_bar(console) as progress,
    ):
        task = progress.add_task("reading", total=len(files), status="")
        for (path, _), each in zip(files, found, strict=True):
            facts[path] = each
            progress.advance(task)
    return make_report(splits, facts, classes.names, extra)


def record(report: Report, config: Config) -> dict[str, Any]:
    """Everything that was found, for `--json`."""
    names = report.class_names
    return {
        "kind": KIND,
        "weclip": metadata.version("weclip"),
        "data": asdict(config.data),
        "train": _split_record(report.train, names),
        "eval": _split_record(report.eval, names) if report.eval else None,
        "findings": [
            {
                "kind": finding.kind,
                "severity": finding.severity,
                "text": finding.text,
                "count": len(finding.examples),
                "examples": list(finding.examples),
            }
            for finding in report.findings
        ],
    }


def _split_record(summary: SplitSummary, names: tuple[str, ...]) -> dict[str, Any]:
    return asdict(summary) | {
        "class_counts": dict(zip(names, summary.class_counts, strict=True)),
        "pair_counts": [[names[a], names[b], count] for (a, b), count in summary.pair_counts],
    }


def _require_free(path: Path) -> None:
    """Refuse to replace what is no earlier record; said before anything is read."""
    if path.is_dir() or (path.parent.exists() and not path.parent.is_dir()):
        raise InputError(f"--json {path}: cannot be written; give the path of a file")
    if path.exists() and kind_of(path) != KIND:
        raise InputError(f"--json {path} exists and is no record of weclip check; choose another")


def show(report: Report, console: Console) -> None:
    """Print tables, findings and a last line that sums up."""
    summaries = [report.train, report.eval] if report.eval else [report.train]
    console.print(_split_table(summaries))
    console.print(_class_table(report.class_names, summaries))
    if report.train.pair_counts:
        console.print(_pair_table(report.class_names, report.train))
    for finding in report.findings:
        colour, count = COLOURS[finding.severity], len(finding.examples)
        where = console if finding.severity == "information" else warnings_of(console)
        where.print(f"[{colour}]{finding.severity}[/] ({count}): {finding.text}", soft_wrap=True)
        for example in finding.examples[:SHOWN_EXAMPLES]:
            where.print(f"    {escape(shown(example))}", soft_wrap=True, highlight=False)
        if count > SHOWN_EXAMPLES:
            where.print(f"    and {count - SHOWN_EXAMPLES} more")
    errors, warnings = report.count("error"), report.count("warning")
    console.print(f"{_number(errors, 'error')}, {_number(warnings, 'warning')}")


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _table(title: str, *columns: str) -> Table:
    """A table of texts with numbers in all columns but the first."""
    table = Table(title=title)
    for index, column in enumerate(columns):
        table.add_column(escape(column), justify="right" if index else "left")
    return table


def _split_table(summaries: list[SplitSummary]) -> Table:
    table = _table("Images", "", *(summary.split for summary in summaries))
    table.add_row("images", *(str(s.images) for s in summaries))
    table.add_row("without tags", *(str(s.without_tags) for s in summaries))
    table.add_row("width: min / median / max", *(_range_text(s.widths) for s in summaries))
    table.add_row("height: min / median / max", *(_range_text(s.heights) for s in summaries))
    return table


def _range_text(values: Range | None) -> str:
    return " / ".join(map(str, values)) if values else "-"


def _class_table(names: tuple[str, ...], summaries: list[SplitSummary]) -> Table:
    table = _table("Images with each tag", "class", *(summary.split for summary in summaries))
    for index, name in enumerate(names):
        counts = [str(s.class_counts[index]) if s.tagged else "-" for s in summaries]
        table.add_row(escape(name), *counts)
    return table


def _pair_table(names: tuple[str, ...], train: SplitSummary) -> Table:
    """Classes that often come together are hard to tell apart from tags."""
    columns = ("classes", "images", "share of the rarer class")
    table = _table(f"Tags that come together, {escape(train.split)}", *columns)
    for (a, b), count in train.pair_counts[:SHOWN_PAIRS]:
        share = count / min(train.class_counts[a], train.class_counts[b])
        table.add_row(escape(f"{names[a]}, {names[b]}"), str(count), f"{share:.0%}")
    return table
