"""The command line of `weclip convert`; imports wait until it runs, as in `app.py`."""

from pathlib import Path
from typing import Annotated

import typer

from weclip.cli import options
from weclip.system.console import screen


def convert(
    source: options.TagsSource,
    target: Annotated[Path, typer.Argument(help="Tags file to write, .csv or .jsonl.")],
    classes: Annotated[
        str,
        typer.Option("--classes", help="Class list: voc, voc-corrclip, coco, demo or a YAML file."),
    ],
    control: options.TagsControl = None,
    untagged: options.Untagged = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the tags file if it exists.")
    ] = False,
) -> None:
    """Write the tags of another format as a tags file; nothing in a pickle is executed.

    For example: weclip convert cls_labels_onehot.npy tags.csv --classes voc
    """
    from weclip.data.tags.reading import TagsChoice
    from weclip.tasks.convert import convert as run
    from weclip.tasks.convert import summary

    choice = TagsChoice(control, untagged)
    read = run(source, target, classes=classes, choice=choice, overwrite=overwrite)
    for line in summary(read, target):
        screen().print(line, soft_wrap=True, markup=False, highlight=False)
