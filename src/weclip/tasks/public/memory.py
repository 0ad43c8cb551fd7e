"""`weclip.memory`."""

from collections.abc import Sequence
from pathlib import Path

from weclip.inference.arguments import path_of, require_list
from weclip.tasks.banks.memory import MemoryOptions
from weclip.tasks.banks.memory import memory as run
from weclip.tasks.datasets import configuration
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.public.results import MemoryResult


def memory(
    data: AnyPath | None = None,
    *,
    out: AnyPath,
    clip: AnyPath | None = None,
    config: AnyPath | None = None,
    device: str | None = None,
    resume: bool = False,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> MemoryResult:
    """Make a memory of images: what regions look like, for masks and tags of alike ones.

    Needs no tags. `label.memory` and `tags.memory` read it. What it says is logged by the logger
    `weclip`.

    Args:
        data: Your folder of images, or its `dataset.yaml`.
        out: Bank to write, `.safetensors`.
        clip: CLIP weights: short for `clip.weights`.
        config: Preset (`voc`, `coco`, `folder`, `demo`) or YAML file; `folder` by default.
        device: Such as `cpu` or `cuda`; by default the GPU if there is one.
        resume: Go on with what an earlier call or command has begun.
        plugins: Python files with parts of your own. They are run.
        overwrite: Replace an earlier bank, or what was begun.
        overrides: Changes of the configuration: `{"dino.weights": "dinov2_vits14"}`, or texts as
            in the command, `["dino.weights=dinov2_vits14"]`.
        progress: Whether a bar is shown.
        changes: The same by keyword: a section, `dino={"weights": "dinov2_vits14"}`.

    Raises:
        InputError: Anything given cannot be used, or an image cannot be read; finished parts stay.

    For example::

        dino = {"weights": "dinov2_vits14"}
        made = weclip.memory("photos", clip="ViT-B-16.pt", out="bank.safetensors", dino=dino)
        bank = {"memory": made.out}
        weclip.tag("photos", clip="ViT-B-16.pt", out="tags.csv", dino=dino, tags=bank)
    """
    with called(progress=progress, device=device, resume=resume, overwrite=overwrite) as console:
        require_list(plugins, "plugins", (str, Path))
        resolved = configuration(
            text_of(config, "config"),
            path_or_none(data, "data"),
            changes_of({"clip.weights": text_of(clip, "clip")}, overrides, changes),
            plugins=[path_of(each, "plugins") for each in plugins],
        )
        file, how = path_of(out, "out"), MemoryOptions(resume=resume, overwrite=overwrite)
        bank = run(resolved, file, how, console=console)
        assert bank is not None  # only shards end without one
        return MemoryResult(file, len(bank.names), len(bank))
