"""Options of the commands: how each is called and what its help says."""

import json
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from weclip.parts import AFFINITY, LOSS, MAP_SOURCE
from weclip.system.errors import InputError
from weclip.system.files import at_home

Out = Annotated[Path, typer.Option("--out", help="Output folder, new or empty.")]
MODEL = typer.Option("--model", help="Run folder of `weclip train`, or its model.safetensors.")
Model = Annotated[Path, MODEL]
ModelOrNone = Annotated[Path | None, MODEL]
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
TagsFile = Annotated[
    str | None,
    typer.Option("--tags", help="Tags file, or auto for tags by CLIP: data.tags_file=..."),
]
Overlays = Annotated[
    bool, typer.Option("--overlays", help="Also write the images with their masks painted on.")
]
LabelMethod = Annotated[
    str | None,
    typer.Option("--method", help="What makes the masks: clip-es (the default), excel, cd-clip."),
]
Export = Annotated[
    list[str] | None,
    typer.Option(
        "--export",
        help="Also for other tools: coco, yolo, cvat, label-studio, fiftyone, huggingface.",
    ),
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
Prepared = Annotated[str, typer.Argument(help="voc, coco or clip.", metavar="WHAT")]
Root = Annotated[Path, typer.Option("--root", help="Folder for the data or the weights.")]
Given = Annotated[
    list[Path] | None,
    typer.Option("--from", help="A file fetched by hand; not fetched then. Repeatable."),
]
ClipName = Annotated[
    str, typer.Option("--name", help="Which CLIP: ViT-B/16, ViT-L/14, or OWNER/NAME of the hub.")
]
VoidBorder = Annotated[
    bool, typer.Option("--void-border", help="For coco: ignore a border round instances.")
]


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


def tags_change(tags: str | None) -> list[str]:
    """The change of the configuration that `--tags` is short for."""
    return [] if tags is None else [f"data.tags_file={json.dumps(tags, ensure_ascii=False)}"]


def require_one_of(model: Mapping[str, object], masks: Mapping[str, object]) -> None:
    """InputError unless a model or masks are to be scored, with no option that is the other's.

    Args:
        model: Values of `--model` and the options that go with it, by name.
        masks: The same of `--masks`.
    """
    if (model["--model"] is None) == (not masks["--masks"]):
        raise InputError(
            "give either --model RUN, to score a model, or --masks DIR with --data or "
            "--config, to score masks that are there"
        )
    one, others = ("--masks", model) if model["--model"] is None else ("--model", masks)
    own = "--model" if one == "--masks" else "--masks"
    wrong = [name for name, value in others.items() if value]
    if wrong:
        hint = "; to change a model's data add data.root=..." if "--data" in wrong else ""
        raise InputError(f"{one} takes no {' and no '.join(wrong)}, which is for {own}{hint}")
