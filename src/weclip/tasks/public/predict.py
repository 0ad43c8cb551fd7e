"""`weclip.predict`."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from weclip.inference.arguments import path_of, require_list
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.predict import FAST, PredictOptions, fast_changes
from weclip.tasks.predict import predict as run
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    keys_of,
    path_or_none,
)
from weclip.tasks.public.results import PredictResult


def predict(
    images: AnyPath | Sequence[AnyPath],
    *,
    model: AnyPath,
    out: AnyPath,
    overlays: bool = False,
    confidence: bool = False,
    ids: bool = False,
    report: bool = False,
    fast: bool = False,
    clip: AnyPath | None = None,
    device: str | None = None,
    resume: bool = False,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> PredictResult:
    """Segment images: one palette PNG each, at the image's own size. Needs no tags.

    An image that cannot be read is left out and named. To have results in memory, use
    `weclip.load(...).predict`. What it says is logged by the logger `weclip`.

    Args:
        images: An image file, a folder (sub-folders are kept) or a pattern; or a list of them.
        model: Run folder of `train`, its model file, a bundle, or `hf:owner/name` of the hub.
        out: Output folder, new or empty: `masks/`, `legend.json`, `run.json`.
        overlays: Also write the images with their label maps painted on.
        confidence: Also write how sure each pixel is, as 8-bit grey; 255 is 1.
        ids: Masks of plain grey ids, without colours.
        report: Also write `report.html`: what was found in which image.
        fast: One scale, no flip: quicker, and a little worse.
        clip: CLIP weights, if they are no longer where they were.
        device: Such as `cpu` or `cuda`; by default the GPU if there is one.
        resume: Do only what is missing in `out`.
        plugins: Python files with parts of your own that the model was trained with.
        overwrite: Replace an earlier output in `out`.
        overrides: Changes of the configuration: `{"eval.crf": True}`, or texts as in the
            command, `["eval.crf=true"]`.
        progress: Whether a bar is shown.
        changes: The same by keyword: a section, `eval={"crf": True}`.

    Raises:
        InputError: Anything given cannot be used, or no image can be read.

    For example::

        done = weclip.predict("photos", model="runs/photos", out="runs/masks", overlays=True)
        print(done.count, "label maps in", done.masks, done.skipped)
    """
    flags = {
        "overlays": overlays,
        "confidence": confidence,
        "ids": ids,
        "report": report,
        "resume": resume,
        "overwrite": overwrite,
    }
    with called(progress=progress, device=device, fast=fast, **flags) as console:
        require_list(plugins, "plugins", (str, Path))
        if isinstance(images, str | PathLike):
            images = [images]
        require_list(images, "images", (str, PathLike))
        given = changes_of({}, overrides, changes)
        if fast:
            fast_changes(keys_of(given), console)
            given = [*FAST, *given]
        place = ModelAt(
            path_of(model, "model"),
            path_or_none(clip, "clip"),
            given,
            [path_of(each, "plugins") for each in plugins],
        )
        folder = path_of(out, "out")
        paths = [str(path_of(each, "images")) for each in images]
        done = run(place, paths, folder, PredictOptions(**flags), console=console)
        return PredictResult(folder, folder / "masks", done.count, tuple(done.skipped))
