"""Maps of tags and constants of labels, from the configuration."""

from weclip import parts
from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD, ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.imagenet import IMAGENET_MEAN, IMAGENET_STD
from weclip.config import Config
from weclip.labels.banks.embedded import reads_embedding
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.regions.given import OnlyFiles
from weclip.labels.regions.regions import RegionSource
from weclip.labels.tag_maps import TagMaps
from weclip.methods.labelling import LabelSettings
from weclip.system.errors import InputError


def build_maps(
    config: Config,
    image_encoder: ClipImageEncoder,
    text: TextFeatures,
    *,
    imagenet: bool,
    guide: DinoImageEncoder | None = None,
) -> TagMaps:
    """Maps of tags from the frozen CLIP, and what spreads them.

    Args:
        config: Names of the parts, and their settings.
        image_encoder: The CLIP.
        text: Text features of classes and background words.
        imagenet: Whether CLIP's images get ImageNet's mean and deviation.
        guide: The second encoder, which has its own.
    """
    source = config.part(parts.MAP_SOURCE, config.cam.source)
    affinity = config.part(parts.AFFINITY, config.affinity.source)
    embedder = config.embedder()
    foreign = embedder is not None and reads_embedding(source)
    if getattr(embedder if foreign else source, "on_guide_grid", False) and affinity.reads:
        require_one_grid(config, image_encoder, guide, "embedding" if foreign else "source")
    maps = TagMaps(
        image_encoder=image_encoder,
        text=text,
        source=source,
        affinity=affinity,
        mean=IMAGENET_MEAN if imagenet else CLIP_MEAN,
        std=IMAGENET_STD if imagenet else CLIP_STD,
        guide=guide,
        regions=region_source(config),
    )
    maps.embedder = embedder
    return maps


def require_one_grid(
    config: Config, image_encoder: ClipImageEncoder, guide: DinoImageEncoder | None, key: str
) -> None:
    """InputError if maps on the guide's grid are to be spread by what CLIP sees on its own.

    `key` of the section `cam` puts them there.
    """
    if guide is not None and guide.patch_size != image_encoder.patch_size:
        raise InputError(
            f"cam.{key}={getattr(config.cam, key)} makes maps on the second encoder's patches of "
            f"{guide.patch_size} pixels, and affinity.source={config.affinity.source} spreads them "
            f"between CLIP's of {image_encoder.patch_size}; add affinity.source=none"
        )


def region_source(config: Config) -> RegionSource | None:
    """What cuts images into regions, where a part reads them; None where none does."""
    return cutter(config) if "regions" in config.reads() else None


def cutter(config: Config) -> RegionSource:
    """What cuts images into regions, or says that theirs are in files."""
    if config.regions.files is not None:
        return OnlyFiles()
    source: RegionSource = config.part(parts.REGION_SOURCE, config.regions.source)
    return source


def label_settings(config: Config) -> LabelSettings:
    """The constants of the pseudo-labels."""
    return LabelSettings(
        min_max_eps=config.cam.min_max_eps,
        background_power=config.cam.background_power,
        par=ParSettings(
            iterations=config.par.iterations,
            dilations=tuple(config.par.dilations),
            colour_width=config.par.colour_width,
            position_width=config.par.position_width,
            position_weight=config.par.position_weight,
        ),
        shares=bool(getattr(config.part(parts.MAP_SOURCE, config.cam.source), "shares", False)),
    )
