"""Every knob of the product: typed dataclasses, each number with its source.

Read from presets and files by `config_file.py`, checked by `config_rules.py`. Parts never see it:
`build/` translates. The settings of a part stand beside the part (`weclip.parts`), and
`config_schema.py` gives each a section of its own here, such as `affinity.attention`.
"""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from omegaconf import MISSING

from weclip import parts
from weclip.config_labels import (
    AffinityConfig,
    CamConfig,
    LabelConfig,
    MemoryConfig,
    RegionsConfig,
    TagsConfig,
    WindowsConfig,
    require_embedder,
)
from weclip.data.images.listing import AUTO
from weclip.data.images.reading import MAX_PIXELS, Reading
from weclip.inference.large.tiles import Tiling
from weclip.plugins import Plugin
from weclip.system.errors import InputError

IMAGENET_TEMPLATES = "imagenet"
"""In the place of a template: the 80 that CLIP was published with for ImageNet."""

WholeOrAuto = int | str
"""A whole number, or `auto`: the start of a training chooses it (`tasks/train/fit_to_data.py`)."""


def whole(value: WholeOrAuto, key: str = "") -> int:
    """The number of a key that may be `auto`, where a number is needed.

    Args:
        value: As the configuration has it.
        key: The key with `=`, for the error that it is `auto` still; only trainings choose.
    """
    if isinstance(value, str):
        raise InputError(f"{key}{AUTO} is for trainings, which choose a number; give a number here")
    return value


@dataclass
class DataConfig:
    """Where images and tags come from and how a training crop is made (WeCLIP section 4.1)."""

    format: str = "voc"  # voc | coco | folder
    root: str = MISSING  # folder, or a dataset.yaml
    classes: str | None = None  # voc | voc-corrclip | coco | demo | a YAML file; None: the folder's
    tags_file: str | None = None  # CSV or JSONL; None: the data set's own; auto: made by CLIP
    tags_control: str | None = None  # control or column whose labels are the tags; None: all
    untagged: str | None = None  # background: an export's images without tags are; None: left out
    corrected: str | None = None  # folder of a person's corrections, in place of tags and labels
    train_split: str = "train_aug"
    eval_split: str | None = "val"  # split with masks to score on; None: no scores
    max_side: int | None = None  # longer training images are seen smaller; published: none are
    crop_size: WholeOrAuto = 320  # released code
    scale_range: tuple[float, float] = (0.5, 2.0)  # released code
    flip_probability: float = 0.5
    workers: int = 2
    max_unreadable: float = 0.01  # share of training images that may be skipped as unreadable
    max_pixels: int = MAX_PIXELS  # width times height; 178956970, Pillow's own limit
    bands: tuple[int, ...] | None = None  # of a TIFF, counted from 1; null: as they are
    range: tuple[float, ...] | None = None  # values that become 0 and 255; null: of their type
    decoded_cache: str | None = None  # folder for decoded images, 3 bytes a pixel; None: decode

    @property
    def reading(self) -> Reading:
        """How image files are read."""
        bands = None if self.bands is None else (self.bands[0], self.bands[1], self.bands[2])
        limits = None if self.range is None else (self.range[0], self.range[1])
        return Reading(self.max_pixels, bands, limits)


@dataclass
class ClipConfig:
    """The frozen backbone."""

    weights: str = MISSING  # file or folder in any published form; ViT-B/16; OWNER/NAME of the hub
    sha256: str | None = None  # of the weights; a run by name keeps it, and another is refused
    activation: str = "auto"  # auto: as published | quick_gelu | gelu
    prompt_template: str = "a clean origami {}."  # CLIP-ES, released code; imagenet: CLIP's 80
    more_templates: tuple[str, ...] = ()  # whose features are averaged with it
    descriptions: str | None = None  # file of sentences on the classes, which enrich them (ExCEL)
    description_clusters: int | None = None  # k-means centres in their place; VOC 112, COCO 224
    description_share: float = 0.9  # most like a class that take part; ExCEL, released code
    description_weight: float = 1.0  # ExCEL, released code

    @property
    def templates(self) -> tuple[str, ...]:
        """All templates of prompts, each with one `{}`."""
        from weclip.backbones.clip.tokenizer import imagenet_templates

        first = self.prompt_template
        named = imagenet_templates() if first == IMAGENET_TEMPLATES else (first,)
        return (*named, *self.more_templates)


@dataclass
class DinoConfig:
    """The second frozen encoder, of methods that need one."""

    weights: str | None = None  # file or folder as published; dinov2_vits14; OWNER/NAME of the hub
    sha256: str | None = None  # as clip.sha256


@dataclass
class MitConfig:
    """The encoder that training starts from, of methods that train theirs."""

    weights: str | None = None  # file or folder as published; nvidia/mit-b1; OWNER/NAME of the hub
    sha256: str | None = None  # as clip.sha256


@dataclass
class LossConfig:
    """Terms of the loss, which are added up."""

    terms: tuple[str, ...] = ("segmentation", "affinity")  # WeCLIP Eq. 11
    corrected_weight: float = 1.0  # images that one with a corrected mask counts for; ours


@dataclass
class MethodConfig:
    """What is trained."""

    name: str = "weclip"  # a method


@dataclass
class ParConfig:
    """Pixel-adaptive refinement (AFA section 3.4, released code)."""

    iterations: int = 20
    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24)
    colour_width: float = 0.3  # w1, divides the colour distance
    position_width: float = 0.3  # w1, divides the pixel distance
    position_weight: float = 0.01  # w2


@dataclass
class QuirkConfig:
    """Behaviours of released code that are mistakes; None follows `faithful`.

    Those of parts stand beside these (`parts.quirk`).
    """

    imagenet_normalisation: bool | None = None  # of WeCLIP; CLIP has a mean of its own
    ragged_window: bool | None = None  # of CorrCLIP: half a patch at a window's end is not seen
    positions_by_count: bool | None = None  # of CorrCLIP: see `bicubic_by_count`


@dataclass
class OptimConfig:
    """AdamW and its schedule (released code; rate from the paper)."""

    learning_rate: float = 2e-3  # base 2e-4 times 10 for the decoder
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    warmup_steps: WholeOrAuto = 50
    warmup_ratio: float = 1e-6
    power: float = 1.0


@dataclass
class TrainConfig:
    """The training run."""

    steps: WholeOrAuto = 30_000
    epochs: float | None = None  # how often each image is seen, in place of a number of steps
    batch_size: WholeOrAuto = 4  # of all processes together
    seed: int = 0
    precision: str = "auto"  # of encoders and decoder; auto: bf16 where the device has units for it
    log_every: WholeOrAuto = 50
    image_every: WholeOrAuto = 1000  # pictures of what is learnt
    eval_every: WholeOrAuto = 2000  # 0: only at the end
    save_every: WholeOrAuto = 1000
    keep_last: int = 2  # checkpoints that stay, the best one apart
    deterministic: bool = False  # slower algorithms where the faster ones vary from run to run
    cuda_graphs: bool = False  # frozen encoders and labels are replayed on a GPU; docs/training.md
    best_metric: str = "miou"
    tracker: str | None = None  # tensorboard | wandb | mlflow, beside `log.jsonl`


@dataclass
class EvalConfig:
    """Testing (WeCLIP section 4.1, released code)."""

    long_side: WholeOrAuto | None = 512  # every image is seen at it; null: its own size
    scales: tuple[float, ...] = (1.0, 0.75)
    scale_merge: str = "mean"  # mean | max, of the logits of all scales; AFA, released code: max
    flip: bool = True
    crf: bool = False
    tile: int | None = None  # larger images are seen in tiles of so many pixels; null: as a whole
    overlap: float = 0.25  # least share of a tile's side that neighbours have in common
    precision: str = "float32"  # as train.precision; of predictions and their scores; published

    @property
    def tiling(self) -> Tiling | None:
        """How large images are cut."""
        return None if self.tile is None else Tiling(self.tile, self.overlap)

    @property
    def side(self) -> int | None:
        """`long_side`, which a training has chosen; InputError if it is `auto` still."""
        return None if self.long_side is None else whole(self.long_side, "eval.long_side=")


@dataclass
class Config:
    """One run, completely described."""

    faithful: bool = False  # True: every quirk of the released code, unless set alone
    plugins: dict[str, str] = field(default_factory=dict)  # name -> SHA-256, of `--plugin`
    data: DataConfig = field(default_factory=DataConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    dino: DinoConfig = field(default_factory=DinoConfig)
    mit: MitConfig = field(default_factory=MitConfig)
    cam: CamConfig = field(default_factory=CamConfig)
    affinity: AffinityConfig = field(default_factory=AffinityConfig)
    regions: RegionsConfig = field(default_factory=RegionsConfig)
    windows: WindowsConfig = field(default_factory=WindowsConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    par: ParConfig = field(default_factory=ParConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    quirks: QuirkConfig = field(default_factory=QuirkConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    label: LabelConfig = field(default_factory=LabelConfig)
    tags: TagsConfig = field(default_factory=TagsConfig)

    KNOWN: ClassVar[parts.Parts] = {}  # the parts that have sections, by kind and name
    PLUGINS: ClassVar[tuple[Plugin, ...]] = ()  # where some of them are from

    def quirk(self, name: str) -> bool:
        """Whether a quirk of released code is on: its own switch, or else `faithful`."""
        switch: bool | None = getattr(self.quirks, name)
        return self.faithful if switch is None else switch

    @property
    def tags_memory(self) -> str | None:
        """`tags.memory` where CLIP makes tags (`data.tags_file=auto`); else None."""
        return self.tags.memory if self.data.tags_file == AUTO else None

    def reads(self, *, losses: bool = False) -> frozenset[str]:
        """What chosen parts read, of `parts.READABLE`: maps, affinity; embedding, regions if read.

        Names that no part has read nothing.

        Args:
            losses: Whether the terms of the loss count too.
        """
        chosen = [(parts.MAP_SOURCE, self.cam.source), (parts.AFFINITY, self.affinity.source)]
        chosen += [(parts.LOSS, name) for name in self.loss.terms if losses]
        found = frozenset[str]().union(*(self._reads_of(*each) for each in chosen))
        if "embedding" in found and self.cam.embedding is not None:
            found |= self._reads_of(parts.MAP_SOURCE, self.cam.embedding)
        if self.regions.files is None and ("regions" in found or self.regions.vote):
            found |= self._reads_of(parts.REGION_SOURCE, self.regions.source)
        return found

    def _reads_of(self, kind: parts.Kind, name: str) -> frozenset[str]:
        return frozenset(getattr(self.KNOWN.get((kind.name, name)), "reads", ()))

    def embedder(self) -> Any:
        """The part of `cam.embedding`; None: parts read the embedding of their own blocks.

        Raises:
            InputError: It has no embedding, or nothing reads it.
        """
        name = self.cam.embedding
        if name is None:
            return None
        require_embedder(name, self.KNOWN, self.cam.source, self.affinity.source)
        return self.part(parts.MAP_SOURCE, name)

    def part(self, kind: parts.Kind, name: str) -> Any:
        """A part with the settings of its section; InputError for settings that contradict."""
        part = self.KNOWN[kind.name, name]
        section = getattr(getattr(self, kind.section), name)
        given = {each.name: _frozen(getattr(section, each.name)) for each in fields(section)}
        quirks = {f.name: self.quirk(f.name) for f in fields(part) if parts.is_quirk(f)}
        try:
            return part(**given, **quirks)
        except ValueError as error:
            raise InputError(str(error)) from None


def _frozen(value: Any) -> Any:
    """A list that YAML gave as the tuple that a part declares."""
    return tuple(value) if isinstance(value, list) else value
