"""Options that several commands share, and those of a command that has many."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar, get_type_hints

import typer

from weclip.errors import InputError

Options = TypeVar("Options")
Result = TypeVar("Result")

Out = Annotated[Path, typer.Option("--out", help="Output folder, new or empty.")]
MODEL = typer.Option("--model", help="Run folder of `weclip train`, or its model.safetensors.")
Model = Annotated[Path, MODEL]
Clip = Annotated[
    Path | None, typer.Option("--clip", help="CLIP weights, if they are no longer where they were.")
]
Preset = Annotated[
    str | None, typer.Option("--config", help="Preset (voc, coco, folder, demo) or a YAML file.")
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Your folder or dataset.yaml: --config folder data.root=DATA."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier output of weclip in --out.")
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SECTION.KEY=VALUE]...", help="Changes of the configuration.", show_default=False
    ),
]


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of `weclip evaluate`, in the order of its help."""

    out: Out
    changes: Changes = None
    model: Annotated[Path | None, MODEL] = None
    labels: Annotated[
        bool,
        typer.Option(
            "--labels", help="Score the CAMs and pseudo-labels made from tags, not the model."
        ),
    ] = False
    clip: Clip = None
    masks: Annotated[
        Path | None,
        typer.Option("--masks", help="Score these masks, PNGs of ids or colours, not a model."),
    ] = None
    config: Preset = None
    data: Data = None
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Score the masks that are there.")
    ] = False
    overwrite: Overwrite = False

    def __post_init__(self) -> None:
        """InputError unless one of model and masks is given, with nothing that is the other's."""
        if (self.model is None) == (self.masks is None):
            raise InputError(
                "give either --model RUN, to score a model, or --masks DIR with --data or "
                "--config, to score masks that are there"
            )
        given: dict[str, dict[str, object]] = {
            "--masks": {"--labels": self.labels, "--clip": self.clip},
            "--model": {
                "--config": self.config,
                "--data": self.data,
                "--allow-missing": self.allow_missing,
            },
        }
        other, own = ("--masks", "--model") if self.model is None else ("--model", "--masks")
        wrong = [name for name, value in given[other].items() if value]
        if wrong:
            hint = "; to change a model's data add data.root=..." if "--data" in wrong else ""
            raise InputError(f"{other} takes no {' and no '.join(wrong)}, which is for {own}{hint}")


def from_fields(
    options: type[Options],
) -> Callable[[Callable[[Options], Result]], Callable[..., Result]]:
    """Let a command take the fields of a dataclass as its options.

    Args:
        options: The dataclass; its fields are annotated as Typer reads parameters.
    """

    def decorate(command: Callable[[Options], Result]) -> Callable[..., Result]:
        @functools.wraps(command)
        def run(**given: object) -> Result:
            return command(options(**given))

        run.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]
        run.__annotations__ = get_type_hints(options, include_extras=True)
        return run

    return decorate
