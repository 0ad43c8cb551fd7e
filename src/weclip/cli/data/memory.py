"""The command line of `weclip memory`; imports of PyTorch wait until it runs, as in `app.py`."""

from pathlib import Path
from typing import Annotated

import typer

from weclip.cli import options
from weclip.cli.options import Plugins, Preset


def memory(
    out: Annotated[Path, typer.Option("--out", help="Bank to write, .safetensors.")],
    arguments: options.Arguments = None,
    config: Preset = None,
    shard: options.Shard = None,
    resume: options.Continue = False,
    plugin: Plugins = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier bank of this command.")
    ] = False,
) -> None:
    """Make a memory of your images: what regions look like, for masks and tags of alike ones.

    Images need no tags. label.memory=FILE and tags.memory=FILE read it.

    For example: weclip memory photos clip.weights=ViT-B-16.pt dino.weights=dinov2_vits14 --out
    bank.safetensors
    """
    from weclip.system.distributed import console
    from weclip.tasks.banks.memory import MemoryOptions
    from weclip.tasks.banks.memory import memory as run
    from weclip.tasks.datasets import configuration, split_data

    shown = console()
    data, changes = split_data(arguments or ())
    resolved = configuration(config, data, changes, plugins=plugin or ())
    run(resolved, out, MemoryOptions(shard, resume, overwrite), console=shown)
