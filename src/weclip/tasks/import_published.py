"""`weclip import`: a checkpoint of the released code as a model file, to evaluate and predict."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from weclip import parts
from weclip.build.method import build_method, load_trained
from weclip.config import Config, whole
from weclip.config_file import to_yaml, with_whole_paths
from weclip.methods.heads.published import (
    decoder_of,
    read_published,
    require_same_encoders,
)
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, claim_folder, write_json
from weclip.system.locks import working_in
from weclip.system.provenance import versions
from weclip.tasks.datasets import open_configured
from weclip.tasks.load.backbones import frozen_backbones, open_frozen, require_frozen_files
from weclip.tasks.load.model import MODEL_NAME
from weclip.tasks.load.start import mit_of_model
from weclip.tasks.train.inputs import read_paths
from weclip.training.model_file import ModelFile, save_model_file

KIND = "import"


def import_published(
    checkpoint: Path, config: Config, out: Path, *, overwrite: bool = False
) -> Path:
    """Write what a released checkpoint trained as a model file.

    Args:
        checkpoint: Such as `WeCLIP_model_iter_30000.pth`; no code in it is executed.
        config: Configuration it was trained with; `faithful=true` for the released ones.
        out: Folder for the model file.
        overwrite: Replace an earlier output in `out`.

    Returns:
        The model file.

    Raises:
        InputError: Not such a checkpoint, or it does not fit the configuration, or the backbones.
    """
    with working_in(out, KIND):
        return _import(checkpoint, config, out, overwrite=overwrite)


def _import(checkpoint: Path, config: Config, out: Path, *, overwrite: bool) -> Path:
    """As `import_published`, in a folder that is held."""
    require_frozen_files(config)
    part = config.part(parts.METHOD, config.method.name)
    if not (hasattr(part, "published") or hasattr(part, "read_published")):
        raise InputError(f"method '{config.method.name}' has no released checkpoints; leave it out")
    published = read_published(checkpoint)
    state = trained_state(part, published, checkpoint)
    classes = open_configured(config).classes
    backbones = replace(open_frozen(config), mit=mit_of_model(state, config, checkpoint))
    encoders = {name: each.image.state_dict() for name, each in backbones.items()}
    require_same_encoders(published, encoders, checkpoint)
    method = build_method(config, backbones, classes)
    load_trained(method, state, checkpoint)
    inputs = [checkpoint, *read_paths(config)]
    claim_folder(out, KIND, overwrite=overwrite, inputs=inputs)
    write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
    steps = whole(config.train.steps)
    trained = method.trained.state_dict()
    file = ModelFile(
        trained, to_yaml(with_whole_paths(config)), classes, frozen_backbones(backbones), steps
    )
    save_model_file(out / MODEL_NAME, file)
    return out / MODEL_NAME


def trained_state(
    part: Any, published: Mapping[str, Tensor], checkpoint: Path
) -> dict[str, Tensor]:
    """State dict of what a method trains, of a released checkpoint's tensors.

    Raises:
        InputError: It is not one of this method.
    """
    if hasattr(part, "read_published"):
        state: dict[str, Tensor] = part.read_published(published, checkpoint)
        return state
    return decoder_of(published, part.published, checkpoint)
