"""`weclip import`: a checkpoint of the released code as a model file, to evaluate and predict."""

from pathlib import Path

from weclip.build import build_method, load_trained
from weclip.config import Config, whole
from weclip.config_file import to_yaml, with_whole_paths
from weclip.methods.published import load_published_decoder
from weclip.system.files import RUN_MARKER, claim_folder, write_json
from weclip.system.locks import working_in
from weclip.system.provenance import versions
from weclip.tasks.datasets import open_configured
from weclip.tasks.load import MODEL_NAME, frozen_backbones, open_clip, require_files
from weclip.training.model_file import ModelFile, save_model_file

KIND = "import"


def import_published(
    checkpoint: Path, config: Config, out: Path, *, overwrite: bool = False
) -> Path:
    """Write the decoder of a released checkpoint as a model file.

    Args:
        checkpoint: Such as `WeCLIP_model_iter_30000.pth`; no code in it is executed.
        config: Configuration it was trained with; `faithful=true` for the released ones.
        out: Folder for the model file.
        overwrite: Replace an earlier output in `out`.

    Returns:
        The model file.

    Raises:
        InputError: Not such a checkpoint, or it does not fit the configuration.
    """
    with working_in(out, KIND):
        return _import(checkpoint, config, out, overwrite=overwrite)


def _import(checkpoint: Path, config: Config, out: Path, *, overwrite: bool) -> Path:
    """As `import_published`, in a folder that is held."""
    require_files(config)
    state = load_published_decoder(checkpoint)
    classes = open_configured(config).classes
    clip = open_clip(config)
    method = build_method(config, clip, classes)
    load_trained(method, state, checkpoint)
    inputs = [checkpoint, Path(config.clip.weights)]
    claim_folder(out, KIND, overwrite=overwrite, inputs=inputs)
    write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
    steps = whole(config.train.steps)
    trained = method.trained.state_dict()
    file = ModelFile(
        trained, to_yaml(with_whole_paths(config)), classes, frozen_backbones(clip), steps
    )
    save_model_file(out / MODEL_NAME, file)
    return out / MODEL_NAME
