"""`weclip bundle`: one folder with a model and the image towers that it needs, and their licences.

What is written is read back, and must give the same bits, before the folder has its name.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console
from safetensors.torch import save
from torch import Tensor, nn

from weclip.backbones.clip.tower import tower_of
from weclip.config import Config
from weclip.config_file import from_yaml, to_yaml, without_places
from weclip.exports.models.bundle import (
    KIND,
    PRECISIONS,
    Manifest,
    Tower,
    write_manifest,
)
from weclip.exports.models.card import LICENCES_NAME, OTHER, Facts, licence_table, model_card
from weclip.exports.models.licences import HUB_WORDS
from weclip.labels.regions.given import whole_image
from weclip.plugins import load_plugins
from weclip.system.console import QUIET
from weclip.system.errors import InputError, did_you_mean
from weclip.system.files import (
    remove_temporaries_of,
    require_claimable,
    require_outside,
    sha256_of,
    write_atomically,
    write_folder_atomically,
    write_text,
)
from weclip.system.locks import require_unlocked, working_on
from weclip.system.provenance import packages
from weclip.tasks.load.backbones import CALLED
from weclip.tasks.load.bundle import bundle_of
from weclip.tasks.load.cutter import cuts_images, where_weights_lie
from weclip.tasks.load.model import MODEL_NAME, LoadedModel, load_model, model_path
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.public.results import BundleResult
from weclip.tasks.share.facts import facts_of
from weclip.training.model_file import save_model_file

CARD_NAME = "README.md"
SIZE = (96, 128)
"""Of the image that a bundle is tried with."""

DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, kw_only=True)
class BundleOptions:
    """How a bundle is made.

    Attributes:
        precision: Of the towers' weights, one of `PRECISIONS`.
        scores: `evaluation.json` of `weclip evaluate`, for the card.
        licence: Of the trained part, as the hub writes it, such as `mit`.
    """

    precision: str = "float16"
    scores: Path | None = None
    licence: str = OTHER


DEFAULTS = BundleOptions()


def bundle(
    model_at: ModelAt,
    out: Path,
    options: BundleOptions = DEFAULTS,
    *,
    console: Console = QUIET,
    overwrite: bool = False,
) -> BundleResult:
    """Write a bundle.

    Args:
        model_at: The model, a run or a model file.
        out: The folder, new or empty.
        options: See there.
        console: Where its size is told.
        overwrite: Replace an earlier bundle.

    Raises:
        InputError: The model cannot be read or is a bundle already, or anything given is wrong.
    """
    check_options(options)
    require_other_folder(out)
    with working_on(out, KIND):
        model = open_unbundled(model_at)
        facts = gather(model, model_at, options)
        require_outside(out, [model.path])
        require_unlocked(out)  # by who works in it
        require_claimable(out, KIND, overwrite=overwrite, inputs=[model.path])
        remove_temporaries_of(out)
        write_bundle(model, model_at, out, facts, name=out.name)
    size = sum(path.stat().st_size for path in out.iterdir())
    towers = " and ".join(CALLED[name] for name in facts.towers)
    inside = f"with the image tower of {towers} in {options.precision}" if towers else "all trained"
    console.print(
        f"bundle: {out} ({size / 1e6:.1f} MB, {inside})",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
    return BundleResult(out, size)


def require_other_folder(out: Path) -> None:
    """InputError if the command was started in `out`, which a whole new folder takes the place of.

    Whoever stands in it would see the old folder, which is gone.
    """
    if Path.cwd().is_relative_to(out.resolve()):
        raise InputError(
            f"--out {out}: you are in this folder, and a bundle takes its place as a whole; give "
            "the name of a new one"
        )


def check_options(options: BundleOptions) -> None:
    """InputError for options that have no such value."""
    if options.precision not in PRECISIONS:
        hint = did_you_mean(options.precision, PRECISIONS)
        known = " or ".join(PRECISIONS)
        raise InputError(f"--precision {options.precision}: give {known}. {hint}".strip())
    if options.licence not in HUB_WORDS:
        hint = did_you_mean(options.licence, sorted(HUB_WORDS))
        raise InputError(
            f"--license {options.licence}: none of the hub's words for licences; give one such as "
            f"mit, apache-2.0, cc-by-4.0 or other. {hint}".strip()
        )


def open_unbundled(model_at: ModelAt) -> LoadedModel:
    """The model; InputError if it is a bundle, whose texts and full precision are gone."""
    path = model_path(Path(model_at.run_or_file))
    if bundle_of(path) is not None:
        raise InputError(
            f"{model_at.run_or_file}: is a bundle already; copy it, or push it as it is"
        )
    return model_at.open()


def gather(model: LoadedModel, model_at: ModelAt, options: BundleOptions) -> Facts:
    """What the card says; errors as in `facts_of`."""
    return facts_of(
        model,
        stored_config(model, model_at),
        precision=options.precision,
        licence=options.licence,
        scores=options.scores,
    )


def stored_config(model: LoadedModel, model_at: ModelAt) -> Config:
    """The configuration of a model as it was stored, without changes of this call."""
    return from_yaml(model.file.config, str(model.path), load_plugins(model_at.plugins))


def write_bundle(
    model: LoadedModel, model_at: ModelAt, out: Path, facts: Facts, *, name: str
) -> None:
    """Write the files of a bundle, and read them back; `out` appears whole or not at all.

    Args:
        model: The model; its towers are rounded to what is written.
        model_at: How it was opened.
        out: The folder.
        facts: What the card says.
        name: What the card says that it is loaded by.
    """
    towers = {each: _Stored.of(model, each, facts) for each in facts.towers}
    config = without_places(stored_config(model, model_at))

    def write(folder: Path) -> None:
        save_model_file(folder / MODEL_NAME, replace(model.file, config=to_yaml(config)))
        for tower in towers.values():
            tower.save(folder)
        for each, about in facts.towers.items():
            if text := about.licence.read():
                write_text(folder / f"LICENSE-{each}.txt", text)
        write_text(folder / LICENCES_NAME, f"# Licences\n\n{licence_table(facts)}\n")
        write_text(folder / CARD_NAME, model_card(facts, name))
        files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
        described = {each: tower.tower for each, tower in towers.items()}
        write_manifest(folder, Manifest(facts.precision, described, files, packages()))
        require_same_bits(model, ModelAt(folder, plugins=model_at.plugins))

    write_folder_atomically(out, write)


@dataclass(frozen=True)
class _Stored:
    """A tower as it is written."""

    tower: Tower
    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, model: LoadedModel, name: str, facts: Facts) -> "_Stored":
        """Round the encoder of a model, in place, to what is written.

        Raises:
            InputError: A weight does not fit.
        """
        dino, blocks = model.backbones.dino, None
        if name == "clip":
            state, blocks = tower_of(model.backbones.clip.image)
        else:
            assert dino is not None
            state = dino.image.state_dict()
        rounded = {key: value.to(DTYPES[facts.precision]) for key, value in state.items()}
        for key, value in rounded.items():
            if not value.isfinite().all():
                raise InputError(
                    f"{CALLED[name]}: its weight {key} does not fit {facts.precision}; add "
                    "--precision float32"
                )
            state[key].copy_(value)
        about = facts.towers[name]
        tower = Tower(f"{name}.safetensors", about.name, about.sha256, blocks)
        return cls(tower, {key: value.contiguous() for key, value in rounded.items()})

    def save(self, folder: Path) -> None:
        """Write the tensors."""
        content = save(self.tensors)
        path = folder / self.tower.file
        write_atomically(path, lambda temporary: temporary.write_bytes(content))


@torch.no_grad()
def require_same_bits(model: LoadedModel, bundle_at: ModelAt) -> None:
    """Read a bundle and compare its logits with those of the model that it was made of.

    Raises:
        RuntimeError: They differ, which is a bug of ours.
    """
    moved = where_weights_lie(model.config)
    read = load_model(bundle_at.run_or_file, overrides=moved, plugins=bundle_at.plugins)
    generator = torch.Generator().manual_seed(0)
    image = 255 * torch.rand(1, 3, *SIZE, generator=generator)
    in_files = cuts_images(model.config) and model.config.regions.files is not None
    given: dict[str, Any] = {"regions": [whole_image(SIZE)]} if in_files else {}
    one, other = (cast(nn.Module, each.method)(image, **given) for each in (read, model))
    if not torch.equal(one, other):
        raise RuntimeError(f"{bundle_at.run_or_file}: what was written gives other logits")
