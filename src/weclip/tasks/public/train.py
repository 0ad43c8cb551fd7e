"""`weclip.train`."""

from collections.abc import Sequence
from pathlib import Path

from weclip.inference.arguments import path_of, require_list
from weclip.system.errors import InputError
from weclip.tasks.datasets import configuration
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.train.result import TrainResult
from weclip.tasks.train.run import train as run


def train(
    data: AnyPath | None = None,
    *,
    out: AnyPath,
    clip: AnyPath | None = None,
    config: AnyPath | None = None,
    tags: AnyPath | None = None,
    device: str | None = None,
    resume: bool = False,
    accept_changes: bool = False,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> TrainResult:
    """Train a segmenter from images and their tags.

    What it says is logged by the logger `weclip`.

    Args:
        data: Your folder of images, or its `dataset.yaml`.
        out: Run folder, new or empty.
        clip: CLIP weights: short for `clip.weights`.
        config: Preset (`voc`, `coco`, `folder`, `demo`) or YAML file; `folder` by default.
        tags: Tags file, or `"auto"` for tags by CLIP; by default the one in the folder.
        device: Such as `cpu` or `cuda`; by default the GPU if there is one.
        resume: Continue the run in `out`, or start it.
        accept_changes: Resume though what results depend on has changed.
        plugins: Python files with parts of your own. They are run.
        overwrite: Replace an earlier run in `out`.
        overrides: Changes of the configuration: `{"train.steps": 300}`, or texts as in the
            command, `["train.steps=300"]`.
        progress: Whether a bar is shown.
        changes: The same by keyword: a section, `train={"steps": 300}`.

    Raises:
        InputError: Anything given cannot be used; the message names it.
        RunError: The run ended early; the message says what is kept.

    For example::

        run = weclip.train("photos", clip="ViT-B-16.pt", out="runs/photos", train={"steps": 300})
        model = weclip.load(run.model)
    """
    flags = {"resume": resume, "accept_changes": accept_changes, "overwrite": overwrite}
    with called(progress=progress, device=device, **flags) as console:
        if resume and overwrite:
            raise InputError("resume and overwrite contradict each other; give one of them")
        require_list(plugins, "plugins", (str, Path))
        short = {"clip.weights": text_of(clip, "clip"), "data.tags_file": text_of(tags, "tags")}
        resolved = configuration(
            text_of(config, "config"),
            path_or_none(data, "data"),
            changes_of(short, overrides, changes),
            plugins=[path_of(each, "plugins") for each in plugins],
        )
        return run(resolved, path_of(out, "out"), console=console, **flags)
