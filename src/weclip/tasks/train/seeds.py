"""`weclip train --seeds`: the same training from several seeds, and how far they lie apart."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

from rich.console import Console
from rich.table import Table

from weclip.config import Config
from weclip.config_rules import validate
from weclip.system.console import QUIET
from weclip.system.distributed import connect, require_equal
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, claim_folder, is_output, write_json
from weclip.system.locks import working_in
from weclip.system.provenance import versions
from weclip.tasks.datasets import open_configured
from weclip.tasks.load.backbones import open_backbones, require_files
from weclip.tasks.train.inputs import read_paths
from weclip.tasks.train.run import train
from weclip.training.runlog import LOG_NAME, is_evaluation, read_log

KIND = "training of several seeds"
RECORD_NAME = "seeds.json"
Scores = dict[str, float]


def parse_seeds(text: str) -> list[int]:
    """The seeds of a text such as `0,1,2`.

    Raises:
        InputError: Not at least two different whole numbers from 0 on.
    """
    words = [word.strip() for word in text.split(",")]
    if len(words) < 2 or len(set(words)) < len(words) or not all(map(str.isdecimal, words)):
        raise InputError(f"--seeds {text}: give two or more different numbers, such as 0,1,2")
    return [int(word) for word in words]


def train_seeds(
    config: Config,
    out: Path,
    seeds: Sequence[int],
    *,
    console: Console = QUIET,
    resume: bool = False,
    overwrite: bool = False,
    accept_changes: bool = False,
) -> Path:
    """Train once per seed into `out/seed-N` and write the scores of all to `out/seeds.json`.

    Arguments and errors as in `train`.

    Returns:
        The record of the scores: of each seed, their mean and sample standard deviation.
    """
    configs = {seed: replace(config, train=replace(config.train, seed=seed)) for seed in seeds}
    for each in configs.values():
        validate(each)
    place = connect()
    require_equal("option", {"--seeds": list(seeds)})
    with working_in(out, KIND, first=place.is_main_process):
        require_inputs(config, console)
        if place.is_main_process and not (resume and is_output(out, KIND)):
            claim_folder(out, KIND, overwrite=overwrite, inputs=read_paths(config))
            write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
        place.wait_for_everyone()
        scores: dict[int, Scores] = {}
        for seed, each in configs.items():
            folder = out / f"seed-{seed}"
            console.print(f"seed {seed}: {folder}", soft_wrap=True, markup=False)
            train(each, folder, console=console, resume=resume, accept_changes=accept_changes)
            scores[seed] = final_scores(folder)
        record = summary(scores)
        if place.is_main_process:
            write_json(out / RECORD_NAME, record)
    console.print(table(record))
    return out / RECORD_NAME


def require_inputs(config: Config, console: Console) -> None:
    """Read what all trainings read, only to refuse what is wrong before anything is written."""
    require_files(config)
    open_configured(config).read_split(config.data.train_split)
    open_backbones(config, console)


def final_scores(run: Path) -> Scores:
    """What the last evaluation of a run's log gave; empty where nothing was scored."""
    rows = [row for row in read_log(run / LOG_NAME) if is_evaluation(row)]
    last = rows[-1] if rows else {}
    return {name.removeprefix("eval_"): last[name] for name in last if name.startswith("eval_")}


def summary(scores: dict[int, Scores]) -> dict[str, dict[str, Scores]]:
    """Scores by seed, and mean and sample standard deviation of each metric."""
    metrics = [
        name
        for name in next(iter(scores.values()))
        if all(name in each for each in scores.values())
    ]
    columns = {name: [each[name] for each in scores.values()] for name in metrics}
    return {
        "seeds": {str(seed): each for seed, each in scores.items()},
        "over_seeds": {
            "mean": {name: mean(values) for name, values in columns.items()},
            "standard_deviation": {name: stdev(values) for name, values in columns.items()},
        },
    }


def table(record: dict[str, dict[str, Scores]]) -> Table:
    """A row per seed, then mean and deviation, in percent."""
    rows = record["seeds"] | record["over_seeds"]
    metrics = list(rows["mean"])
    shown = Table(title="last evaluation, %" if metrics else "no masks, so no scores")
    for name in ("seed", *metrics):
        shown.add_column(name.replace("_", " "))
    for name, scores in rows.items():
        shown.add_row(name.replace("_", " "), *(f"{100 * scores[m]:.2f}" for m in metrics))
    return shown
