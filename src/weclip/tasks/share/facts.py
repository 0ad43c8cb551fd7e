"""What the card of a model says, gathered from its run: scores, data, towers and their licences."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weclip.backbones.clip.configuration.computation import KNOWN
from weclip.backbones.named import FrozenBackbone
from weclip.config import Config
from weclip.config_file import is_whole_path, last_name
from weclip.exports.models import licences
from weclip.exports.models.card import Facts, Score, TowerFacts
from weclip.exports.models.licences import Licence
from weclip.inference.scores.record import protocol_text
from weclip.prepare.sources import PUBLISHED
from weclip.prepare.weights.hub import repository_of
from weclip.prepare.weights.published import FAMILIES
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, sha256_of
from weclip.system.provenance import packages
from weclip.system.untrusted.documents import read_json
from weclip.system.untrusted.text import short
from weclip.tasks.evaluate.model import MODEL_SHA256
from weclip.tasks.load.backbones import CALLED
from weclip.tasks.load.bundle import Bundle, bundle_of
from weclip.tasks.load.cutter import REGIONS, cuts_images
from weclip.tasks.load.model import LoadedModel
from weclip.tasks.load.start import DEMO, starts_from_mit
from weclip.training.runlog import LOG_NAME, read_log


def facts_of(
    model: LoadedModel, config: Config, *, precision: str, licence: str, scores: Path | None
) -> Facts:
    """What a card is written from.

    Args:
        model: The model, unbundled.
        config: Its configuration as it was stored.
        precision: Of the towers.
        licence: Of the trained part.
        scores: `evaluation.json` of `weclip evaluate`; None: what the run's log has.

    Raises:
        InputError: The scores are none of this model.
    """
    return Facts(
        method=config.method.name,
        steps=model.file.step,
        classes=model.file.classes.names_with_background,
        data=data_name(config.data.root),
        images=images_of(model.path.parent, "images"),
        towers=towers_of(model, config),
        precision=precision,
        licence=licence,
        score=logged_score(model, config) if scores is None else read_score(scores, model),
        versions=packages(),
        plugins=list(config.plugins),
        start=started_from(config),
        corrected=corrected_in(model.path.parent, config),
        given=needed_for_regions(model, config),
    )


def needed_for_regions(model: LoadedModel, config: Config) -> str:
    """What a prediction has to be given so that images are cut as in training; often nothing."""
    if not cuts_images(config):
        return ""
    if config.regions.files is not None:
        return "regions.files=FOLDER"
    weights = model.file.backbones.get(REGIONS)
    return "" if weights is None else f"regions.{weights.name}.weights=PATH"


def started_from(config: Config) -> str | None:
    """What a trained encoder started from, and its licence; None where none is trained."""
    if not starts_from_mit(config):
        return None
    given = config.mit.weights
    if given == DEMO:
        return f"weclip's own tiny MiT, {licences.DEMO.kind}"
    named = "released weights" if given is None else given
    if is_whole_path(named) or Path(named).suffix:
        named = last_name(named)
    return f"{named}, {licences.OF_MIT}"


def towers_of(model: LoadedModel, config: Config) -> dict[str, TowerFacts]:
    """What is known of the frozen towers of a model, by their names."""
    bundle = bundle_of(model.path)
    return {
        name: _tower(name, getattr(config, name).weights, _taken_from(bundle, name, backbone))
        for name, backbone in model.file.backbones.items()
        if name in CALLED
    }


def _taken_from(bundle: Bundle | None, name: str, backbone: FrozenBackbone) -> FrozenBackbone:
    """The whole weights that a bundle's tower was taken from; other backbones as they are."""
    tower = bundle.manifest.towers.get(name) if bundle else None
    if bundle is None or tower is None or bundle.manifest.files.get(tower.file) != backbone.sha256:
        return backbone
    return FrozenBackbone(tower.name, tower.original, backbone.computes)


def data_name(root: str) -> str:
    """How the data set's folder is called; that of a `dataset.yaml` is the one that it lies in.

    >>> data_name("/a/photos"), data_name("a/photos/dataset.yaml"), data_name(".")
    ('photos', 'photos', 'images')
    """
    folder = (
        root.replace("\\", "/").rpartition("/")[0] if root.endswith((".yaml", ".yml")) else root
    )
    name = last_name(folder) if folder else "."
    return "images" if name in (".", "..") else name


def images_of(run: Path, key: str) -> int | None:
    """How many images a run was trained (`images`) or scored on, as its record says."""
    try:
        count = read_json(run / RUN_MARKER, "record")[key]
    except (InputError, KeyError, TypeError):
        return None
    return count if type(count) is int and count >= 0 else None


def corrected_in(run: Path, config: Config) -> int | None:
    """How many corrected masks a run learnt from; None without, 0 if its record does not say."""
    if config.data.corrected is None:
        return None
    try:
        return int(read_json(run / RUN_MARKER, "record")["corrected"]["masks"])
    except (InputError, KeyError, TypeError, ValueError):
        return 0


def regions_in_run(run: Path) -> dict[str, Any]:
    """What a run's record says of its regions, as a protocol has it; nothing if it names none."""
    try:
        record = read_json(run / RUN_MARKER, "record")["regions"]
        return {"regions": record["source"], "saw_human_masks": record["saw_human_masks"]}
    except (InputError, KeyError, TypeError):
        return {}


def _scored_in(run: Path) -> str | None:
    """The precision in which a run was scored, as its record says."""
    try:
        return str(read_json(run / RUN_MARKER, "record")["precision"]["eval"])
    except (InputError, KeyError, TypeError):
        return None


def logged_score(model: LoadedModel, config: Config) -> Score | None:
    """The score that a run's log has of the very step that its model is of."""
    path = model.path.parent / LOG_NAME
    rows = read_log(path) if path.is_file() else []
    found = [row for row in rows if row.get("step") == model.file.step and "eval_miou" in row]
    if not found:
        return None
    tiling = config.eval.tiling
    protocol = {
        "long_side": config.eval.side,
        "tile": tiling.tile if tiling else None,
        "overlap": tiling.overlap if tiling else None,
        "scales": [1.0],
        "flip": False,
        "crf": False,
        "precision": _scored_in(model.path.parent),
        "tags_used": False,
        **regions_in_run(model.path.parent),
    }
    record = {"kind": "segmentation", "protocol": protocol, "seed": config.train.seed}
    return Score(
        miou=_share(found[-1]["eval_miou"]),
        protocol=f"while it was trained; {_protocol(record)}",
        split=str(config.data.eval_split),
        images=images_of(model.path.parent, "scored_images"),
    )


def read_score(path: Path, model: LoadedModel) -> Score:
    """The score in a record of `weclip evaluate`.

    Raises:
        InputError: It is none, of masks or labels, or of another model.
    """
    content = read_json(path, "record of scores")
    try:
        records = [each for each in content.values() if each["kind"] == "segmentation"]
        if not records:
            raise InputError(
                f"--scores {path}: holds no scores of a model; give the evaluation.json that "
                "'weclip evaluate --model RUN --out FOLDER' wrote"
            )
        score, scored = _score(records[0]), records[0][MODEL_SHA256]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"--scores {path}: no evaluation.json of 'weclip evaluate'; give one"
        ) from None
    names = model.file.classes.names_with_background
    if list(score.per_class) != list(names) or scored != sha256_of(model.path):
        raise InputError(
            f"--scores {path}: is of another model than {model.path} (another SHA-256); evaluate "
            "this one"
        )
    return score


def _score(record: Mapping[str, Any]) -> Score:
    per_class = {
        str(k): None if v is None else _share(v) for k, v in record["per_class_iou"].items()
    }
    return Score(
        miou=_share(record["miou"]),
        protocol=_protocol(record),
        split=str(record["split"]),
        images=int(record["num_images"]),
        per_class=per_class,
    )


def _protocol(record: Mapping[str, Any]) -> str:
    """How it was measured, and of which training."""
    return f"{protocol_text(record)}; seed {short(record['seed'])}"


def _share(value: object) -> float:
    """A number in 0..1; ValueError or TypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{short(value)} is no share")
    return float(value)


def _tower(name: str, weights: str, backbone: FrozenBackbone) -> TowerFacts:
    repository = None if is_whole_path(weights) else repository_of(weights)
    is_published = any(weights in family.names for family in FAMILIES.values())
    base = None if repository is None or is_published else repository.name
    return TowerFacts(
        backbone.name, backbone.sha256, licence_of(name, backbone, base, weights), base
    )


def licence_of(
    name: str, backbone: FrozenBackbone, repository: str | None, weights: str
) -> Licence:
    """The licence of the weights that a tower was taken from."""
    if weights == DEMO:
        return licences.DEMO
    if KNOWN.get(backbone.sha256, "").startswith("OpenAI"):
        return licences.OPENAI
    meta = [PUBLISHED[each].checksum for each in FAMILIES["dino"].names]
    if name == "dino" and f"sha256:{backbone.sha256}" in meta:
        return licences.META
    if repository is not None:
        return licences.of_repository(repository)
    return licences.of_file(backbone.name)
