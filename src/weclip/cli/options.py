"""Options of the commands: how each is called and what its help says; and those that are gone."""

import re
import shlex
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from weclip.cli.completion import (
    complete_change,
    complete_format,
    complete_method,
    complete_preset,
)
from weclip.parts import AFFINITY, LOSS, MAP_SOURCE
from weclip.system.errors import InputError
from weclip.system.files import at_home

Out = Annotated[Path, typer.Option("--out", help="Output folder, new or empty.")]
MODEL = typer.Option(
    "--model",
    help="Run folder of `weclip train`, its model.safetensors, a bundle or hf:OWNER/NAME.",
)
Model = Annotated[Path, MODEL]
ModelOrNone = Annotated[Path | None, MODEL]
Clip = Annotated[
    Path | None, typer.Option("--clip", help="CLIP weights, if they are no longer where they were.")
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--config",
        help="Preset (voc, coco, folder, demo) or a YAML file.",
        autocompletion=complete_preset,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier output of weclip in --out.")
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SECTION.KEY=VALUE",
        help="Changes of the configuration.",
        show_default=False,
        autocompletion=complete_change,
    ),
]
Labels = Annotated[
    bool,
    typer.Option(
        "--labels", help="Score the CAMs and pseudo-labels made from tags, not the model."
    ),
]
Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--masks",
        metavar="[NAME=]DIR",
        help="Score these masks, PNGs of ids or colours, not a model. Repeatable, to compare.",
    ),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Score the masks that are there.")
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA|SECTION.KEY=VALUE",
        help="Your folder or dataset.yaml, and changes of the configuration.",
        show_default=False,
        autocompletion=complete_change,
    ),
]
Json = Annotated[
    Path | None, typer.Option("--json", help="Also write the whole record to this file.")
]
Suspects = Annotated[
    Path | None,
    typer.Option(
        "--suspects", help="List the tags that CLIP doubts in this .csv; needs clip.weights=..."
    ),
]
Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGES|SECTION.KEY=VALUE",
        help="Image files, folders or quoted patterns, and changes of the configuration.",
        show_default=False,
        autocompletion=complete_change,
    ),
]
Overlays = Annotated[
    bool, typer.Option("--overlays", help="Also write the images with their masks painted on.")
]
LabelMethod = Annotated[
    str | None,
    typer.Option(
        "--method",
        help="What makes the masks: clip-es (the default), excel, cd-clip, corrclip.",
        autocompletion=complete_method,
    ),
]
CorrectedFolder = Annotated[
    Path | None,
    typer.Option("--corrected", help="Folder of corrections; its masks and tags are kept."),
]
Export = Annotated[
    list[str] | None,
    typer.Option(
        "--export",
        help="Also for other tools: coco, yolo, cvat, label-studio, fiftyone, huggingface.",
        autocompletion=complete_format,
    ),
]
Confidence = Annotated[
    bool, typer.Option("--confidence", help="Also write how sure each pixel is, 8-bit grey PNGs.")
]
GreyIds = Annotated[bool, typer.Option("--ids", help="Masks of plain grey ids, without colours.")]
WithReport = Annotated[
    bool, typer.Option("--report", help="Also write report.html: what was found in which image.")
]
Fast = Annotated[
    bool, typer.Option("--fast", help="One scale, no flip: quicker, a little less exact.")
]
Soft = Annotated[bool, typer.Option("--soft", help="Also write soft maps, small and 8-bit.")]
Shard = Annotated[
    str | None,
    typer.Option("--shard", help="Do the i-th of n parts, such as 2/4; others may run beside it."),
]
Continue = Annotated[bool, typer.Option("--resume", help="Do only what is missing in --out.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out, or start it.")]
AcceptChanges = Annotated[
    bool, typer.Option("--accept-changes", help="Resume with another configuration or data.")
]
Seeds = Annotated[str | None, typer.Option("--seeds", help="Train once per seed, such as 0,1,2.")]
TagsSource = Annotated[
    Path,
    typer.Argument(help="Pickled .npy; .csv, .tsv, .jsonl, .json, .xml; or folder of VOC .xml."),
]
TagsControl = Annotated[
    str | None,
    typer.Option("--tags-control", help="Control or column whose labels are the tags."),
]
Untagged = Annotated[
    str | None,
    typer.Option("--untagged", help="background: images without tags are pictures of background."),
]
Prepared = Annotated[str, typer.Argument(help="voc, coco, clip, dino or mit.", metavar="WHAT")]
Root = Annotated[Path, typer.Option("--root", help="Folder for the data or the weights.")]
Given = Annotated[
    list[Path] | None,
    typer.Option("--from", help="A file fetched by hand; not fetched then. Repeatable."),
]
WeightsName = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="ViT-B/16 or ViT-L/14; dinov2_vits14, b14 or l14, each also with _reg; nvidia/mit-b1, "
        "b0 or b2 to b5; or OWNER/NAME of the hub. Default: the first.",
    ),
]
VoidBorder = Annotated[
    bool, typer.Option("--void-border", help="For coco: ignore a border round instances.")
]


Run = Annotated[
    Path,
    typer.Argument(help="Run folder of `weclip train`, or its model file; or a bundle to push."),
]
Precision = Annotated[
    str, typer.Option("--precision", help="Of the frozen towers: float16 or float32.")
]
Scores = Annotated[
    Path | None,
    typer.Option(
        "--scores",
        help="evaluation.json of `weclip evaluate`, for the card. Default: the run's log.",
    ),
]
License = Annotated[
    str, typer.Option("--license", help="Of what you trained, as the hub writes it, such as mit.")
]
Private = Annotated[bool, typer.Option("--private", help="Only you may see the repository.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Python file with parts of your own. It is run. Repeatable."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"weclip {metadata.version('weclip')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
]


HOME = re.compile(r"(--[\w-]+=)?(~.*)", re.DOTALL)
"""An argument that is a path that begins with `~`, or an option with one: `--out=~/run`."""


def at_home_in(argument: str) -> str:
    """An argument whose path begins at a user's home; a shell expands only some of them.

    Changes `section.key=~/x` are left to the configuration, which knows what is a path.

    >>> at_home_in("data.eval_split=~"), at_home_in("photos")
    ('data.eval_split=~', 'photos')
    """
    found = HOME.fullmatch(argument)
    return argument if found is None else (found[1] or "") + at_home(found[2])


PARTS_HELP = " ".join(
    f"{kind.key}: {', '.join(kind.file_names())}." for kind in (MAP_SOURCE, AFFINITY, LOSS)
)
"""The parts that can be chosen, for the end of a command's help."""


class Gone(NamedTuple):
    """An option that is no more, since a key or an argument says the same.

    Attributes:
        now: What is so now.
        new: What is written instead; `{}` is the option's value.
    """

    now: str
    new: str


_DATA = Gone("data need no option now", "{}")
_SET = Gone("changes need no option now", "{}")
_TAGS = Gone("tags are a key now", "data.tags_file={}")
_CLASSES = Gone("classes are a key now", "data.classes={}")

GONE: Mapping[str, Mapping[str, Gone]] = {
    "train": {"--data": _DATA, "--tags": _TAGS},
    "evaluate": {"--data": _DATA},
    "predict": {"--set": _SET},
    "label": {"--tags": _TAGS},
    "tag": {"--classes": _CLASSES},
}
"""Command -> option that it had -> what is written instead."""

LONGEST_LINE = 300
"""Letters of a command that is shown whole."""


def require_new_spelling(arguments: Sequence[str]) -> None:
    """InputError with the new command line if a command has an option that is gone."""
    command, *rest = arguments or [""]
    gone = GONE.get(command, {})
    old, new, line = "", "", [command]
    while rest:
        given = rest.pop(0)
        option, equals, value = given.partition("=")
        if given == "--":
            line += [given, *rest]
            break
        if option in gone:
            value = value if equals else rest.pop(0) if rest else "..."
            line.append(gone[option].new.format(value))
            old, new = old or f"{option} {value}: {gone[option].now}", new or line[-1]
        else:
            line.append(given)
    if old:
        whole = f"weclip {shlex.join(line)}"
        shown = whole if len(whole) <= LONGEST_LINE else f"weclip {command} ... {shlex.quote(new)}"
        raise InputError(f"{old}; write: {shown}")


def require_one_of(model: Mapping[str, object], masks: Mapping[str, object]) -> None:
    """InputError unless a model or masks are to be scored, with no option that is the other's.

    Args:
        model: Values of `--model` and the options that go with it, by name.
        masks: The same of `--masks`.
    """
    if (model["--model"] is None) == (not masks["--masks"]):
        raise InputError(
            "give either --model RUN, to score a model, or --masks DIR with data or --config, to "
            "score masks that are there"
        )
    one, others = ("--masks", model) if model["--model"] is None else ("--model", masks)
    own = "--model" if one == "--masks" else "--masks"
    wrong = [name for name, value in others.items() if value]
    if wrong:
        raise InputError(f"{one} takes no {' and no '.join(wrong)}, which is for {own}")
