"""The sections of what makes labels: maps, masks and tags without training, regions, memories.

Sections of `weclip.config`, which holds the others.
"""

from dataclasses import dataclass

from weclip import parts
from weclip.parts import setting
from weclip.system.errors import InputError, did_you_mean


@dataclass
class CamConfig:
    """Maps of tags, and what becomes of them at pixels."""

    source: str = "gradcam"  # a map source
    embedding: str | None = None  # a map source whose embedding parts read; null: their own
    min_max_eps: float = 1e-7  # of the maps that labels are made of; released code
    background_power: float = 1.0  # background score is (1 - max)^power; CLIP-ES, released code


@dataclass
class AffinityConfig:
    """What spreads maps of tags."""

    source: str = "attention"  # an affinity


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
    square: int | None = None  # seen as a square of this side instead; ExCEL, released code: 320
    imagenet_normalisation: bool = False  # ImageNet's mean and deviation; ExCEL, released code
    precision: str = "float32"  # as train.precision; published; PAR, CRF, pixels always are
    memory: str | None = None  # file of `weclip memory`, whose neighbours help maps that read it
    windows: bool = False  # CorrCLIP as released: section `windows`; else the image as a whole
    any_class: bool = False  # no tags are read: every class may be in every image
    background_under: float = setting(
        0.0,
        source="CorrCLIP, released code, without tags: VOC 0.2, COCO 0.25; background where no "
        "score reaches it",
        least=0,
        most=1,
    )

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
    precision: str = "float32"  # as train.precision; published
    memory: str | None = None  # file of `weclip memory`, as label.memory; TagCLIP has none


@dataclass
class RegionsConfig:
    """Regions of images: classless parts, each pixel in one of them or in none."""

    source: str = "superpixels"  # a region source, where parts or `vote` read regions
    files: str | None = None  # folder of `weclip regions`, or of id maps, in place of a source
    vote: bool = False  # labels without training: a region's pixels get its most frequent class


@dataclass
class WindowsConfig:
    """How `label.windows` cuts an image into windows that overlap (CorrCLIP, released code)."""

    guide: str = setting(
        "window-query-key",
        source="CorrCLIP, released code; its second version: whole",
        among=("window-query-key", "whole"),
    )
    short_side: int | None = setting(
        336,
        source="CorrCLIP, released code; null: the image's own size, at most label.max_side; "
        "ModuSeg, released code",
        least=32,
        most=8192,
    )
    long_side: int = setting(
        2048, source="CorrCLIP, released code; at most, beside short_side", least=32, most=8192
    )
    side: int = setting(336, source="CorrCLIP, released code", least=32, most=8192)
    stride: int = setting(112, source="CorrCLIP, released code", above=0, most=8192)
    multiple: int = setting(
        56, source="CorrCLIP, released code; sides are padded to it", above=0, most=1024
    )


@dataclass
class MemoryConfig:
    """A memory of images (`weclip memory`), which lends its texts to alike regions (CorrCLIPv2)."""

    max_rows: int = setting(
        1_000_000, source="ours; rows of a memory, over which it is thinned", above=0, most=10**9
    )
    neighbours: int = setting(20, source="CorrCLIPv2, released code", above=0, most=10_000)
    own_weight: float = setting(
        0.5, source="CorrCLIPv2, released code; of an image's own features", least=0, most=1
    )


def require_embedder(name: str, known: parts.Parts, source: str, affinity: str) -> None:
    """InputError unless `cam.embedding` is an embedding that a chosen part reads.

    Args:
        name: The map source that it names.
        known: The parts that there are.
        source: The chosen map source.
        affinity: The chosen affinity.
    """
    have = sorted(each for (_, each), part in known.items() if hasattr(part, "embedded"))
    if name not in have:
        hint = f"{did_you_mean(name, have)} ".lstrip()
        raise InputError(
            f"cam.embedding={name}: there is no map source with an embedding of that name; {hint}"
            f"known: {', '.join(have)}, or null"
        )
    reads = getattr(known[parts.MAP_SOURCE.name, name], "reads", ())
    parts.require_readable(f"cam.embedding={name}", reads, ("guide", "regions"))
    chosen = ((parts.MAP_SOURCE.name, source), (parts.AFFINITY.name, affinity))
    if not any("embedding" in getattr(known[each], "reads", ()) for each in chosen):
        raise InputError(
            f"cam.embedding={name}: neither cam.source={source} nor affinity.source={affinity} "
            "reads it; leave it out, or take cam.source=patch_text or "
            "affinity.source=class_distribution"
        )
