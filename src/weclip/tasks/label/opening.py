"""What `weclip label` opens: encoders, a trained model, regions, and what makes scores."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from torch import nn

from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.weights import Dino
from weclip.backbones.loaded import LoadedBackbones
from weclip.build.windows import build_windowed, build_words
from weclip.build.without_training import build_training_free
from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.inference.label_masks import Scorer
from weclip.labels.banks.memory import Memory
from weclip.methods.method import Method
from weclip.methods.retrieval import Retrieval
from weclip.methods.training_free import TrainingFree
from weclip.system.distributed import default_device
from weclip.system.errors import InputError
from weclip.tasks.banks.memory import made_by, open_memory
from weclip.tasks.label.relabelled import open_relabelled
from weclip.tasks.label.scored import Scored
from weclip.tasks.label.windowed import Windowed
from weclip.tasks.load.backbones import clip_path, open_clip
from weclip.tasks.load.cutter import where_weights_lie
from weclip.tasks.load.for_labels import open_guide, reads_regions
from weclip.tasks.load.model import LoadedModel, load_model
from weclip.tasks.regions.of_model import require_given
from weclip.tasks.regions.opening import guide_by
from weclip.tasks.regions.reading import RegionReader, open_regions
from weclip.tasks.tag.memory import TagsMemory, open_tags_memory


@dataclass(frozen=True)
class Opened:
    """What makes the masks, and what it is made of.

    Attributes:
        scorer: Makes scores.
        method: What it computes with.
        backbones: The frozen encoders.
        refiner: The trained model, if one is named.
        regions: What gives regions, where something reads them.
        memory: What helps maps, if one is named.
        tags_memory: What helps CLIP to make tags, if that is asked for.
    """

    scorer: Scorer
    method: nn.Module
    backbones: LoadedBackbones
    refiner: LoadedModel | None
    regions: RegionReader | None
    memory: Memory | None
    tags_memory: TagsMemory | None

    @property
    def memories(self) -> dict[str, dict[str, Any]]:
        """What records say of the regions that each memory was made of, by its key."""
        own = {} if self.memory is None else {"label.memory": dict(self.memory.bank.regions)}
        return own if self.tags_memory is None else own | self.tags_memory.record["memories"]

    def require_regions(self, images: Iterable[TaggedImage]) -> None:
        """InputError if regions are in files and an image has none."""
        if self.regions is not None:
            self.regions.require(images)


def open_method(config: Config, classes: ClassList, console: Console, *, soft: bool) -> Opened:
    """Open all that masks are made with; what fails, fails now.

    Args:
        config: Resolved configuration.
        classes: The classes that tags are of.
        console: Where it is told.
        soft: Whether soft maps are asked for.

    Raises:
        InputError: Something cannot be read, or does not fit the rest.
    """
    clip = open_clip(config, console)
    refiner = open_refiner(config, classes)
    learnt = None if refiner is None else refiner.method.to(default_device())
    require_same_patches(learnt, clip)
    backbones = LoadedBackbones(clip, open_guide(config, console))
    lent = open_tags_memory(config, clip, console, backbones.dino)
    regions = open_label_regions(config, refiner, backbones.dino, console)
    told = regions if lent is None else lent.regions
    if config.label.windows:
        windowed = open_windowed(config, classes, backbones, regions, soft=soft)
        return Opened(windowed, windowed.method, backbones, refiner, told, None, lent)
    method = build_training_free(config, clip, classes, learnt, backbones.dino)
    memory = open_label_memory(config, backbones)
    method.to(default_device()).maps.memory = memory
    scorer = open_scorer(config, method, refiner, regions, soft=soft)
    return Opened(scorer, method, backbones, refiner, told, memory, lent)


def open_refiner(config: Config, classes: ClassList) -> LoadedModel | None:
    """The trained model of `label.model`, which is the refinement module.

    Raises:
        InputError: As `load_model`; or its classes are others.
    """
    path = config.label.model
    if path is None:
        return None
    dino = config.dino.weights
    moved = [*([] if dino is None else [{"dino.weights": dino}]), *where_weights_lie(config)]
    model = load_model(path, clip=clip_path(config), overrides=moved, plugins=config.PLUGINS)
    if model.file.classes.names != classes.names:
        raise InputError(
            f"label.model={path}: its classes ({', '.join(model.file.classes.names)}) are not "
            f"those of the data ({', '.join(classes.names)}); train one for them, or leave it out"
        )
    return model


def open_label_memory(config: Config, backbones: LoadedBackbones) -> Memory | None:
    """The memory of `label.memory`, if one is named; errors as `open_memory`."""
    path = config.label.memory
    if path is None:
        return None
    return open_memory(config, path, backbones, key="label.memory", made=made_by(config))


def open_label_regions(
    config: Config, refiner: LoadedModel | None, guide: Dino | None, console: Console
) -> RegionReader | None:
    """What gives the regions of images, where something reads them.

    A run of retrieval (`label.model`) cuts images itself, unless regions are in files.

    Raises:
        InputError: As `open_regions`; or that run needs files.
    """
    if refiner is not None and isinstance(refiner.method, Retrieval):
        if config.regions.files is None:
            require_given(refiner.config, f"label.model={config.label.model}: ")
            return None
    elif not reads_regions(config):
        if config.regions.files is not None and config.tags_memory is None:
            raise InputError(
                f"regions.files={config.regions.files}: nothing here reads regions; add "
                "regions.vote=true or cam.source=region_attention, or leave it out"
            )
        return None
    precision = config.label.precision
    see = None if guide is None else guide_by(guide.image.to(default_device()), precision)
    return open_regions(config, guide=see, console=console)


def open_scorer(
    config: Config,
    method: TrainingFree,
    refiner: LoadedModel | None,
    regions: RegionReader | None,
    *,
    soft: bool,
) -> Scorer:
    """What makes scores: the method, or a run of retrieval in its place; errors as there."""
    use: dict[str, Any] = {"soft": soft, "precision": config.label.precision}
    if refiner is None or not isinstance(refiner.method, Retrieval):
        return Scored(method, **use, regions=regions, votes=config.regions.vote)
    if config.regions.vote:
        raise InputError(
            "regions.vote=true: a run of retrieval (label.model) names whole regions already; "
            "leave regions.vote out"
        )
    return open_relabelled(refiner, regions, **use)


def open_windowed(
    config: Config,
    classes: ClassList,
    backbones: LoadedBackbones,
    regions: RegionReader | None,
    *,
    soft: bool,
) -> Windowed:
    """What makes scores over windows."""
    assert regions is not None  # read by region attention
    assert backbones.dino is not None
    method = build_windowed(config, backbones.clip, backbones.dino).to(default_device())
    words = build_words(config, backbones.clip, classes)
    words = replace(words, text=words.text.to(default_device()))
    return Windowed(method, words, regions, soft, config.label.precision, config.regions.vote)


def require_same_patches(refiner: Method | None, clip: Clip) -> None:
    """InputError if a model that refines maps has an affinity between patches of another size."""
    wanted, patch = getattr(refiner, "affinity_patch", None), clip.image.patch_size
    if wanted not in (None, patch):
        raise InputError(
            f"label.model: its affinity is between patches of {wanted} pixels, and the CLIP has "
            f"patches of {patch}; give a CLIP of patch {wanted}, such as clip.weights=ViT-B/16, or "
            "leave label.model out"
        )
