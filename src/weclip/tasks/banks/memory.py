"""`weclip memory`: a bank of what the regions of the user's own images look like; no tags."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from weclip import parts
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.guide import Guide
from weclip.backbones.loaded import LoadedBackbones
from weclip.backbones.named import FrozenBackbone
from weclip.backbones.precision import chosen_precision, computing_in, store_frozen
from weclip.build.without_training import training_free
from weclip.config import Config
from weclip.config_file import flatten, to_yaml
from weclip.data.batch import TaggedImage
from weclip.inference.given_image import as_rgb
from weclip.labels.banks.bank_file import read_bank, save_bank
from weclip.labels.banks.embedded import embedding_of, patches_of
from weclip.labels.banks.feature_bank import FeatureBank, digest_of
from weclip.labels.banks.memory import Memory, memory_rows, require_made_alike
from weclip.labels.regions.of_batch import seen_regions
from weclip.methods.training_free import TrainingFree
from weclip.system.console import QUIET
from weclip.system.distributed import connect, default_device
from weclip.system.errors import InputError
from weclip.system.files import at_home, remove_temporaries_of, require_writable
from weclip.system.locks import InUse, working_in, working_on
from weclip.tasks.banks.parts import MOST_ROWS, RECIPE, WorkParts, thinned
from weclip.tasks.datasets import tell_precision
from weclip.tasks.label.joining import shard_of
from weclip.tasks.load.backbones import frozen_backbones, open_clip, open_dino
from weclip.tasks.regions.opening import guide_by
from weclip.tasks.regions.reading import RegionReader, open_regions
from weclip.tasks.regions.run import images_of
from weclip.training.runlog import tracked

KIND = "memory"
SUFFIX = ".safetensors"
SEEN = ("label.scale", "label.max_side", "label.square", "label.imagenet_normalisation", "regions.")
"""Keys, or beginnings of keys, that rows depend on beside the encoders and the embedding."""


@dataclass(frozen=True)
class MemoryOptions:
    """How `memory` goes about it; no row depends on it.

    Attributes:
        shard: `i/n`: the i-th of n parts, counted from 1; None: all images.
        resume: Go on with what an earlier command has begun.
        overwrite: Replace an earlier bank, or what was begun.
    """

    shard: str | None = None
    resume: bool = False
    overwrite: bool = False


def memory(
    config: Config, out: Path, options: MemoryOptions, *, console: Console = QUIET
) -> FeatureBank | None:
    """Write the bank `out` of the images' regions, or of those of a shard, whose last one does.

    Args:
        config: Resolved configuration; `data`, `clip`, `dino`, `cam`, `label`, `regions`, `memory`
            are read, no tags.
        out: New `.safetensors`.
        options: See there.
        console: Where progress is shown; by default nowhere.

    Returns:
        The bank; None where other shards have yet to end.

    Raises:
        InputError: Anything given cannot be used, or an image cannot be read; finished parts stay.
    """
    shard = shard_of(**asdict(options))
    check_target(out, options)
    config = with_precision(config)
    folder = parts_folder(out)
    with working_in(folder, KIND, shared=shard is not None):
        work, maker = opened(config, folder, options, console)
        left = sum(len(work.items_of(number)) for number in work.missing(shard))
        for _ in tracked(work.make(maker, shard), "memory", left, console):
            pass
        bank = joined_in(out, work, config, console, shared=shard is not None)
    if bank is None:
        return None
    size = out.stat().st_size / 1e6
    told = f"{len(bank)} regions of {len(bank.names)} images in {out} ({size:.1f} MB)"
    console.print(told, soft_wrap=True, markup=False, highlight=False)
    return bank


def joined_in(
    out: Path, work: WorkParts[TaggedImage], config: Config, console: Console, *, shared: bool
) -> FeatureBank | None:
    """Write the bank, if all its parts are there, and throw these away; what is written.

    None where parts are missing, or (`shared`) another shard that ends now does it.
    """
    told = f"another shard is writing {out}; if it is stopped, --resume does it"
    if missing := len(work.missing()):
        told = (
            f"{missing} of {work.count} parts are missing; the shard that ends last writes {out}, "
            "and so does --resume"
        )
    else:
        try:
            with working_on(out, KIND):
                if not work.missing():  # else another shard has done it just now
                    bank = thinned(work.joined(), config.memory.max_rows, console)
                    remove_temporaries_of(out)  # of a killed process
                    save_bank(out, bank)
                    work.remove()
                    return bank
        except InUse:
            if not shared:
                raise
    console.print(told, soft_wrap=True, markup=False)
    return None


def check_target(out: Path, options: MemoryOptions) -> None:
    """InputError unless the bank can be written, and nothing is there that must not go."""
    if connect().num_processes > 1:
        raise InputError("weclip memory runs in one process; --shard i/n shares the work")
    if out.suffix.lower() != SUFFIX:
        raise InputError(f"--out {out}: the bank to write must end in {SUFFIX}")
    require_writable(out, "--out")
    begun = (parts_folder(out) / RECIPE).exists()
    goes_on = begun and (options.resume or options.shard is not None)  # perhaps killed at its end
    if out.exists() and not (options.overwrite or goes_on):
        done = "" if options.shard is None else "if other shards made it, nothing is left to do; "
        raise InputError(f"--out {out} exists; {done}choose another name or add --overwrite")
    if out.exists():
        read_bank(out, most_rows=MOST_ROWS, key="")  # nothing else is overwritten
    if begun and not (goes_on or options.overwrite):
        raise InputError(
            f"--out {out}: {parts_folder(out)} holds work that has not ended; add --resume, or "
            "--overwrite to start anew"
        )


def parts_folder(out: Path) -> Path:
    """Where the parts of a bank lie until it is whole: `bank.safetensors.parts`."""
    return out.with_name(f"{out.name}.parts")


def with_precision(config: Config) -> Config:
    """A copy whose `label.precision` is what it means here; errors as in `chosen_precision`."""
    chosen = chosen_precision(config.label.precision, "label.precision", default_device())
    return replace(config, label=replace(config.label, precision=chosen))


def opened(
    config: Config, folder: Path, options: MemoryOptions, console: Console
) -> tuple[WorkParts[TaggedImage], "Maker"]:
    """The parts, entered, and what makes the rows of an image."""
    images = images_of(config, console)
    backbones = LoadedBackbones(open_clip(config, console), open_dino(config, console))
    maker = make_maker(config, backbones)
    work = WorkParts(folder, images, recipe_of(config, images, backbones))
    work.enter(joins=not options.overwrite)
    if options.shard is None:
        work.clean()
    tell_precision(config.label.precision, maker.method.device.type, console)
    return work, maker


@dataclass(frozen=True)
class Maker:
    """Makes the rows of an image.

    Attributes:
        config: Resolved configuration.
        method: What sees images as masks without training do.
        regions: Gives the regions of an image.
        backbones: Both encoders, as the bank names them.
    """

    config: Config
    method: TrainingFree
    regions: RegionReader
    backbones: Mapping[str, FrozenBackbone]

    def __call__(self, image: TaggedImage) -> FeatureBank:
        """The regions of an image as a bank."""
        pixels = as_rgb(image.path, reading=self.config.data.reading)
        keys, values = self._rows(pixels, self.regions(image, pixels).id_map)
        number = torch.zeros(len(keys), dtype=torch.int32)
        table = [image.name], [digest_of(pixels)]
        made = made_by(self.config), self.regions.record
        return FeatureBank(keys, values, number, *table, self.backbones, *made)

    @torch.no_grad()
    def _rows(self, pixels: NDArray[np.uint8], ids: NDArray[np.int32]) -> tuple[Tensor, Tensor]:
        """Keys and values of an image's regions (H, W)."""
        device = self.method.device
        seen = self.method.seen(pixels).to(device)  # (1, 3, H', W')
        with computing_in(self.config.label.precision, device):
            view = self.method.maps.see(seen)
            view.regions = seen_regions(ids, (seen.shape[2], seen.shape[3]), device)
            embedded = patches_of(self.method.maps.source, self.method.maps.affinity, view)
        maps = torch.unflatten(embedded.rows[0].float().T, 1, embedded.patch_grid)
        guide = Guide(view.guide.features.float(), view.guide.patch_grid)
        keys, values = memory_rows(guide, maps, torch.from_numpy(ids).long().to(device))
        return keys.cpu(), values.cpu()


def make_maker(config: Config, backbones: LoadedBackbones) -> Maker:
    """What makes rows, where it computes."""
    clip, dino, device = backbones.clip, backbones.dino, default_device()
    assert dino is not None  # opened by `opened`
    none = torch.empty(0, clip.image.proj.shape[1])
    texts = TextFeatures(none, none, clip.scale)
    method = training_free(config, clip.image, texts, guide=dino.image).to(device)
    store_frozen(method, config.label.precision)
    regions = open_regions(config, guide=guide_by(dino.image, config.label.precision))
    return Maker(config, method, regions, frozen_backbones(backbones))


def recipe_of(
    config: Config, images: Sequence[TaggedImage], backbones: LoadedBackbones
) -> dict[str, str]:
    """What decides the rows of the bank."""
    listed = [(image.name, image.path.stat().st_size) for image in images]
    seen = {k: v for k, v in flatten(to_yaml(config)).items() if k.startswith(SEEN)}
    return {
        "images": hashlib.sha256(json.dumps(listed).encode()).hexdigest(),
        "encoders": " ".join(sorted(each.sha256 for _, each in backbones.items())),
        "embedding": made_by(config),
        "regions or sizes": json.dumps(seen),
    }


def open_memory(
    config: Config, path: str, backbones: LoadedBackbones, *, key: str, made: str
) -> Memory:
    """The memory that a configuration names, where this process computes.

    Args:
        config: Resolved configuration; `memory` is read.
        path: The bank.
        backbones: The CLIP and the second encoder of here.
        key: The key that names it, for messages.
        made: How it must have been made, as of `made_by`.

    Raises:
        InputError: It cannot be read, has too many rows, or was made with others.
    """
    use = config.memory
    try:
        bank = read_bank(Path(at_home(path)), most_rows=use.max_rows, key="memory.max_rows")
    except InputError as error:
        raise InputError(f"{key}={error}") from None  # it begins with the path
    if bank.values.dim() == 1:
        raise InputError(
            f"{key}={path}: a bank of classes, of a run of retrieval; give one of weclip memory"
        )
    require_made_alike(bank, frozen_backbones(backbones), made, f"{key}={path}")
    return Memory(bank.to(default_device()), use.neighbours, use.own_weight)


def made_by(config: Config) -> str:
    """How keys and values are made; what `FeatureBank.made` says."""
    source = config.part(parts.MAP_SOURCE, config.cam.source)
    affinity = config.part(parts.AFFINITY, config.affinity.source)
    return made_of(embedding_of(source, affinity, config.embedder()))


def made_of(embedding: str) -> str:
    """The same where values are of an embedding, by its name."""
    return f"guide patches; {embedding}"
