"""`weclip.regions`."""

from collections.abc import Sequence
from pathlib import Path

from weclip.data.regions.files import MAPS
from weclip.inference.arguments import path_of, require_list
from weclip.tasks.datasets import configuration
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.public.results import RegionsResult
from weclip.tasks.regions.run import UNUSED, RegionsOptions
from weclip.tasks.regions.run import regions as run


def regions(
    data: AnyPath | None = None,
    *,
    out: AnyPath,
    config: AnyPath | None = None,
    device: str | None = None,
    overlays: bool = False,
    resume: bool = False,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> RegionsResult:
    """Cut images into regions without classes, for what reads `regions.files`; needs no tags.

    What it says is logged by the logger `weclip`.

    Args:
        data: Your folder of images, or its `dataset.yaml`.
        out: Output folder, new or empty.
        config: Preset (`voc`, `coco`, `folder`, `demo`) or YAML file; `folder` by default.
        device: Such as `cpu` or `cuda`; by default the GPU if there is one.
        overlays: Also write the images with their regions painted on.
        resume: Do only what is missing in `out`.
        plugins: Python files with parts of your own. They are run.
        overwrite: Replace an earlier output in `out`.
        overrides: Changes of the configuration: `{"regions.source": "graph"}`, or texts as in the
            command, `["regions.source=graph"]`.
        progress: Whether a bar is shown.
        changes: The same by keyword: a section, `regions={"source": "graph"}`.

    Raises:
        InputError: Anything given cannot be used, or an image cannot be read; finished maps stay.

    For example::

        cut = weclip.regions("photos", out="regions", regions={"source": "graph"})
        print(cut.count, "id maps in", cut.maps)
    """
    flags = {"overlays": overlays, "resume": resume, "overwrite": overwrite}
    with called(progress=progress, device=device, **flags) as console:
        require_list(plugins, "plugins", (str, Path))
        resolved = configuration(
            text_of(config, "config"),
            path_or_none(data, "data"),
            changes_of({}, overrides, changes),
            unused=UNUSED,
            plugins=[path_of(each, "plugins") for each in plugins],
        )
        folder = path_of(out, "out")
        how = RegionsOptions(overlays=overlays, resume=resume, overwrite=overwrite)
        count = run(resolved, folder, how, console=console)
        return RegionsResult(folder, folder / MAPS, count)
