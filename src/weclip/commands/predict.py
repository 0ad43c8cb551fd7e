"""`weclip predict`: label maps of any images as palette PNGs, and overlays on request."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console

from weclip.api import default_device, load_model
from weclip.build import build_predictor
from weclip.data.masks import save_mask
from weclip.errors import InputError
from weclip.files import RUN_MARKER, claim_folder, write_atomically, write_json
from weclip.inference.image_files import collect_images
from weclip.inference.segmenter import as_rgb
from weclip.inference.visualize import overlay
from weclip.provenance import versions
from weclip.training.runlog import progress_bar

KIND = "prediction"


def predict(
    run_or_file: Path,
    inputs: Sequence[str],
    out: Path,
    *,
    console: Console,
    overrides: Sequence[str] = (),
    clip: Path | None = None,
    overlays: bool = False,
    overwrite: bool = False,
) -> int:
    """Segment images and write `out/masks/**.png`, and `out/overlays/**.png` if asked.

    Args:
        run_or_file: Run folder or model file.
        inputs: Image files, folders (sub-folders are kept) or patterns.
        out: Output folder.
        console: Where progress is shown.
        overrides: Changes of the model's configuration, such as `eval.crf=true`.
        clip: CLIP weights, if they have moved.
        overlays: Also write each image with its label map painted over it.
        overwrite: Replace an earlier output in `out`.

    Returns:
        Number of images.
    """
    images = collect_images(inputs)
    for path, _ in images:
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path} lies in --out {out}; choose an output folder elsewhere")
    model = load_model(run_or_file, clip=clip, overrides=overrides)
    predictor = build_predictor(model.config, model.method.to(default_device()))
    claim_folder(out, KIND, overwrite=overwrite)
    write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
    with progress_bar(console) as progress:
        task = progress.add_task("predicting", total=len(images), status="")
        for path, relative in progress.track(images, task_id=task):
            image = as_rgb(path)
            label_map = predictor(image)
            save_mask(label_map, out / "masks" / relative)
            if overlays:
                write_png(overlay(image, label_map), out / "overlays" / relative)
    return len(images)


def write_png(picture: Image.Image, path: Path) -> None:
    """Write a picture; the file appears whole or not at all."""
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))
