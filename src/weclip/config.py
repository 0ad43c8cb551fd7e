"""Every knob of the product: typed dataclasses, each number with its source.

Read from presets and files by `config_file.py`, checked by `config_rules.py`. Parts never see it:
`build.py` translates.
"""

from dataclasses import dataclass, field

from omegaconf import MISSING

from weclip.data.images.decoding import MAX_PIXELS


@dataclass
class DataConfig:
    """Where images and tags come from and how a training crop is made (WeCLIP section 4.1)."""

    format: str = "voc"  # voc | coco | folder
    root: str = MISSING  # folder, or a dataset.yaml
    classes: str | None = None  # voc | coco | demo | a YAML file; None: the folder's own
    tags_file: str | None = None  # CSV or JSONL; None: the data set's own; auto: made by CLIP
    tags_control: str | None = None  # control or column whose labels are the tags; None: all
    untagged: str | None = None  # background: an export's images without tags are; None: left out
    train_split: str = "train_aug"
    eval_split: str | None = "val"  # split with masks to score on; None: no scores
    crop_size: int = 320  # released code
    scale_range: tuple[float, float] = (0.5, 2.0)  # released code
    flip_probability: float = 0.5
    workers: int = 2
    max_unreadable: float = 0.01  # share of training images that may be skipped as unreadable
    max_pixels: int = MAX_PIXELS  # width times height; 178956970, Pillow's own limit
    decoded_cache: str | None = None  # folder for decoded images, 3 bytes a pixel; None: decode


@dataclass
class ClipConfig:
    """The frozen backbone."""

    weights: str = MISSING  # OpenAI .pt, state dict, safetensors or Hugging Face folder
    prompt_template: str = "a clean origami {}."  # CLIP-ES, released code
    more_templates: tuple[str, ...] = ()  # whose features are averaged with it
    descriptions: str | None = None  # file of sentences on the classes, which enrich them (ExCEL)
    description_clusters: int | None = (
        None  # k-means centres in their place; ExCEL VOC 112, COCO 224
    )
    description_share: float = 0.9  # most like a class that take part; ExCEL, released code
    description_weight: float = 1.0  # ExCEL, released code


@dataclass
class CamConfig:
    """Maps of tags: softmax Grad-CAM (CLIP-ES section 3.2), or patches against texts (ExCEL)."""

    source: str = "gradcam"  # gradcam | patch-text
    self_self_blocks: int = 5  # last blocks whose tokens attend to alike ones; ExCEL, released code
    min_max_eps: float = 1e-7  # released code
    background_power: float = 1.0  # background score is (1 - max)^power; CLIP-ES, released code


@dataclass
class AffinityConfig:
    """Affinity from attention and the refinement module (WeCLIP section 3.3, released code)."""

    source: str = "attention"  # attention | class-distribution (CD-CLIP) | none
    initial_layers: int = 8  # last maps averaged before the refinement module starts
    refined_layers: int = 6  # last maps it chooses from; COCO 10
    refine_from: int = 9145  # first step with the refinement module; COCO 40001; -1: never
    sinkhorn_rounds: int = 3
    power: int = 2  # of the transition; CLIP-ES squares it
    box_threshold: float = 0.4  # COCO 0.7
    temperature: float = 1.0  # of class-distribution; ours, chosen on the demo's training scenes


@dataclass
class ParConfig:
    """Pixel-adaptive refinement (AFA section 3.4, released code)."""

    iterations: int = 20
    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24)
    colour_width: float = 0.3  # w1, divides the colour distance
    position_width: float = 0.3  # w1, divides the pixel distance
    position_weight: float = 0.01  # w2


@dataclass
class DecoderConfig:
    """The only trained part (WeCLIP section 3.2)."""

    width: int = 256
    blocks: int = 3
    heads: int = 8
    dropout: float = 0.1


@dataclass
class LossConfig:
    """Losses (WeCLIP Eq. 9 to 11, released code)."""

    background_weight: float = 0.5  # of background pixels' mean; foreground's weighs the rest
    affinity_weight: float = 0.1
    affinity_radius: int = 8  # patches, in x and in y


@dataclass
class QuirkConfig:
    """Behaviours of the released code that are mistakes; None follows `faithful`."""

    imagenet_normalisation: bool | None = None
    train_on_padding: bool | None = None
    signed_layer_distance: bool | None = None
    exclusive_box_edge: bool | None = None
    par_on_normalised_image: bool | None = None


@dataclass
class OptimConfig:
    """AdamW and its schedule (released code; rate from the paper)."""

    learning_rate: float = 2e-3  # base 2e-4 times 10 for the decoder
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    warmup_steps: int = 50
    warmup_ratio: float = 1e-6
    power: float = 1.0


@dataclass
class TrainConfig:
    """The training run."""

    steps: int = 30_000
    batch_size: int = 4  # of all processes together
    seed: int = 0
    precision: str = "auto"  # auto | float32 | bf16 | fp16
    log_every: int = 50
    image_every: int = 1000  # pictures for TensorBoard
    eval_every: int = 2000  # 0: only at the end
    save_every: int = 1000
    keep_last: int = 2  # checkpoints that stay, the best one apart
    deterministic: bool = False  # slower algorithms where the faster ones vary from run to run
    best_metric: str = "miou"


@dataclass
class EvalConfig:
    """Testing (WeCLIP section 4.1, released code)."""

    long_side: int | None = 512
    scales: tuple[float, ...] = (1.0, 0.75)
    flip: bool = True
    crf: bool = False


@dataclass
class LabelConfig:
    """Masks from tags without training (CLIP-ES, released code)."""

    crf: bool = False  # dense CRF, needs weclip[crf]; published with it: 75.0, without: 70.8
    crf_iterations: int = 10
    crf_gaussian_sxy: float = 1.0
    crf_gaussian_weight: float = 3.0
    crf_bilateral_sxy: float = 67.0
    crf_bilateral_srgb: float = 3.0
    crf_bilateral_weight: float = 4.0
    par: bool = False  # PAR in place of the CRF; not in CLIP-ES
    confidence: float | None = None  # under it a pixel is 255; null: 0.95 with CRF, else 0
    model: str | None = None  # trained run or model file; its decoder refines, as in WeCLIP
    scale: float = 1.0  # how much larger than it is CLIP sees an image; CLIP-ES, released code
    max_side: int | None = 640  # longer images are seen smaller, for memory; COCO's longest side

    @property
    def threshold(self) -> float:
        """`confidence`, or the released 0.95 with a CRF, and none without."""
        if self.confidence is not None:
            return self.confidence
        return 0.95 if self.crf else 0.0


@dataclass
class TagsConfig:
    """Tags by CLIP, of `weclip tag` and `data.tags_file=auto` (TagCLIP, released code)."""

    released: bool = False  # True: TagCLIP as released, unless a key that can be null is set
    self_attention_blocks: int | None = None  # null: 5 (ExCEL), released 0: the last one's values
    attention_from: int = 8  # first of 12 blocks averaged, the last one apart
    votes: int = 4  # of 12 blocks, for a pair of patches
    reidentify: bool | None = None  # look again at crops; null: no, released yes
    threshold: str | None = None  # split | relative; null: split (ours), released relative
    relative_share: float = 0.5  # between lowest and highest score of an image
    region_share: float = 0.5  # of a map's range, in the crop
    local_weight: float = 0.5  # of patches beside crops
    floor: float = 0.5  # of the threshold of all classes, for that of one; ours
    max_side: int | None = 640  # as label.max_side


@dataclass
class Config:
    """One run, completely described."""

    faithful: bool = False  # True: every quirk of the released code, unless set alone
    data: DataConfig = field(default_factory=DataConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    cam: CamConfig = field(default_factory=CamConfig)
    affinity: AffinityConfig = field(default_factory=AffinityConfig)
    par: ParConfig = field(default_factory=ParConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    quirks: QuirkConfig = field(default_factory=QuirkConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    label: LabelConfig = field(default_factory=LabelConfig)
    tags: TagsConfig = field(default_factory=TagsConfig)

    def quirk(self, name: str) -> bool:
        """Whether a quirk of the released code is on: its own switch, or else `faithful`."""
        switch: bool | None = getattr(self.quirks, name)
        return self.faithful if switch is None else switch
