"""The folder of `weclip predict`: what it says of itself, and what of it is there already."""

from pathlib import Path
from typing import Any

from weclip.config_file import flatten, to_yaml
from weclip.data.classes import ClassList
from weclip.data.masks.colours import colour_text
from weclip.data.masks.geo_masks import SUFFIX, has_geo_mask
from weclip.data.masks.mask_files import read_note
from weclip.system.errors import InputError
from weclip.system.files import (
    RUN_MARKER,
    claim_folder,
    is_output,
    remove_temporaries,
    sha256_of,
    write_json,
)
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import as_parsed, read_json
from weclip.tasks.load.opening import Opened

KIND = "prediction"
RECIPE_NAME = "predict.json"
LEGEND_NAME = "legend.json"
CONFIDENCE = "confidence"
GEOTIFF = "geotiff"

Recipe = dict[str, Any]
Job = tuple[Path, Path]
"""An image file, and its output below `masks`."""


def make_recipe(model: Opened, *, ids: bool) -> Recipe:
    """What `predict.json` holds: what decides the masks."""
    settings = flatten(to_yaml(model.config))
    return {
        "model": model.sha256,
        "backbones": {name: list(each) for name, each in model.backbones.items()},
        "eval": {key: settings[key] for key in settings if key.startswith("eval.")},
        "data": {key: settings[key] for key in ("data.bands", "data.range")},
        "palette": not ids,
        **_regions_of(model),
    }


def make_record(model: Opened) -> dict[str, Any]:
    """What `run.json` says of the masks beside it, for who finds them."""
    tested = model.config.eval
    backbones = model.backbones.items()
    return {
        "kind": KIND,
        "model": {"path": str(model.path.absolute()), "sha256": model.sha256},
        **{name: {"name": each.name, "sha256": each.sha256} for name, each in backbones},
        "settings": {
            "scales": list(tested.scales),
            "flip": tested.flip,
            "long_side": tested.side,
            "tile": tested.tile,
            "overlap": None if tested.tile is None else tested.overlap,
            "crf": tested.crf,
            "precision": tested.precision,
            "bands": model.config.data.bands,
            "range": model.config.data.range,
            "device": model.device,
        },
        **_regions_of(model),
        "versions": versions(model.engine, model.device),
    }


def _regions_of(model: Opened) -> dict[str, Any]:
    """What both say of the regions that a model names."""
    return {} if model.regions is None else {"regions": as_parsed(model.regions.record)}


def make_legend(classes: ClassList) -> dict[str, Any]:
    """What `legend.json` holds: what each id of a mask means, and its colour."""
    rows = enumerate(classes.colours_by_name.items())
    return {
        "classes": [
            {"id": index, "name": name, "colour": colour_text(colour), "rgb": list(colour)}
            for index, (name, colour) in rows
        ]
    }


def enter(out: Path, model: Opened, *, ids: bool, resume: bool, overwrite: bool) -> None:
    """Make the folder, or go on in what is there.

    Args:
        out: The folder.
        model: What masks are made with.
        ids: Whether they have no palette.
        resume: Go on.
        overwrite: Replace an earlier output.

    Raises:
        InputError: As `claim_folder`; or what is there was made by another model or otherwise.
    """
    path, recipe, record = out / RECIPE_NAME, make_recipe(model, ids=ids), make_record(model)
    if not (resume and is_output(out, KIND)):
        claim_folder(out, KIND, overwrite=overwrite)
        write_json(out / RUN_MARKER, record)
    remove_temporaries(out)
    if not path.exists() and not (out / "masks").exists():  # new, or killed at its beginning
        write_json(out / LEGEND_NAME, make_legend(model.classes))
        write_json(path, recipe)
        return
    try:
        before = read_json(path, "recipe")
    except InputError:
        raise InputError(f"{path} cannot be read; choose another --out") from None
    if before != recipe:
        differs = [
            key for key in recipe if not isinstance(before, dict) or before.get(key) != recipe[key]
        ]
        raise InputError(
            f"--out {out} holds label maps that were made with another "
            f"{' and '.join(differs)}; give the same, or choose another --out"
        )


def geo_path(out: Path, relative: Path) -> Path:
    """Where the mask of an image from a map lies as a GeoTIFF."""
    return out / GEOTIFF / relative.with_suffix(SUFFIX)


def is_done(job: Job, out: Path, *, overlays: bool, confidence: bool) -> bool:
    """Whether the files that are asked for are there, made of the bytes that an image has now."""
    image, relative = job
    if overlays and not (out / "overlays" / relative).exists():
        return False
    if has_geo_mask(image) and not geo_path(out, relative).exists():
        return False
    notes = {read_note(out / name / relative) for name in ("masks", *[CONFIDENCE] * confidence)}
    try:
        return None not in notes and notes == {sha256_of(image)}
    except InputError:  # it is said when it is read
        return False
