"""What values of a configuration are allowed."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import partial, reduce
from math import isfinite
from typing import Any, cast

from weclip import parts
from weclip.config import IMAGENET_TEMPLATES, Config
from weclip.data.images.listing import AUTO
from weclip.inference.prediction import LARGEST_PATCH
from weclip.system.errors import InputError, did_you_mean

POSITIVE = (
    "data.crop_size data.max_pixels cam.min_max_eps par.colour_width "
    "par.position_width optim.learning_rate optim.eps train.steps train.batch_size train.log_every "
    "train.image_every train.save_every train.keep_last label.crf_gaussian_sxy "
    "label.scale label.crf_bilateral_sxy label.crf_bilateral_srgb"
).split()
NOT_NEGATIVE = (
    "data.workers par.iterations "
    "par.position_weight optim.weight_decay optim.warmup_steps optim.power "
    "clip.description_weight loss.corrected_weight train.seed train.eval_every "
    "cam.background_power label.crf_iterations "
    "label.crf_gaussian_weight label.crf_bilateral_weight tags.attention_from tags.votes tags.floor"
).split()
SHARES = (
    "data.flip_probability data.max_unreadable clip.description_share "
    "optim.warmup_ratio tags.relative_share "
    "tags.region_share tags.local_weight"
).split()
LONGEST_SIDE = 8192
"""Pixels that an image is seen at: attention between so many patches fits no machine."""

MOST_BANDS = 65535
"""What a TIFF can hold."""

SMALLEST_TILE = 64
"""Pixels: some patches, which see something of each other."""

LARGEST_SCALE = 16

LARGEST = 10**9
"""Of every number with a point; a whole number is a size or a count, with bounds of its own."""

MOST = {
    "data.crop_size": LONGEST_SIDE,
    "data.workers": 256,
    "data.max_pixels": 2**36,
    "loss.corrected_weight": 1000,
    "par.iterations": 1000,
    "optim.warmup_steps": 10**9,
    "train.steps": 10**9,
    "train.batch_size": 2**16,
    "train.log_every": 10**9,
    "train.image_every": 10**9,
    "train.eval_every": 10**9,
    "train.save_every": 10**9,
    "train.keep_last": 10**6,
    "label.scale": LARGEST_SCALE,
    "label.crf_iterations": 1000,
    "tags.attention_from": 1000,
    "tags.votes": 1000,
}
"""Far beyond what anybody needs: a slip of the pen ends in one line, not in a full machine."""

SIDES = "data.max_side eval.long_side label.max_side label.square tags.max_side".split()
PRECISIONS = ("auto", "float32", "bf16", "fp16")
CHOICES = {
    "data.format": ("voc", "coco", "folder"),
    "clip.activation": ("auto", "quick_gelu", "gelu"),
    "eval.scale_merge": ("mean", "max"),
    "train.precision": PRECISIONS,
    "eval.precision": PRECISIONS,
    "label.precision": PRECISIONS,
    "tags.precision": PRECISIONS,
    "tags.threshold": (None, "split", "relative"),
    "train.tracker": (None, "tensorboard", "wandb", "mlflow"),
    "train.best_metric": ("miou", "pixel_accuracy", "mean_class_accuracy"),
}


def validate(config: Config) -> None:
    """InputError for a value out of range; the message gives key, value and what is allowed."""
    for key in _numbers(config):
        _require(config, key, _is_finite, "finite")
        _require(config, key, _is_small, f"from -{LARGEST} to {LARGEST}")
    for key in POSITIVE:
        _require(config, key, lambda v: v == AUTO or v > 0, "more than 0")
    for key in NOT_NEGATIVE:
        _require(config, key, lambda v: v == AUTO or v >= 0, "0 or more")
    for key in SHARES:
        _require(config, key, lambda v: 0 <= v <= 1, "from 0 to 1")
    for key, most in MOST.items():
        _require(config, key, partial(_at_most, most), f"at most {most}")
    for key in SIDES:
        _require(config, key, _is_side, f"from 32 to {LONGEST_SIDE}, or null")
    for key, choices in CHOICES.items():
        allowed = " or ".join("null" if choice is None else choice for choice in choices)
        _require(config, key, choices.__contains__, allowed)
    scale = LARGEST_SCALE
    _require(
        config,
        "data.scale_range",
        lambda v: 0 < v[0] <= v[1] <= scale,
        f"two rising numbers over 0, up to {scale}",
    )
    _require(
        config,
        "par.dilations",
        lambda v: 0 < len(v) <= 32 and 0 < min(v) <= max(v) <= 256,
        "up to 32 numbers of pixels from 1 to 256",
    )
    _require(
        config,
        "eval.scales",
        lambda v: 0 < len(v) <= 32 and 0.1 <= min(v) <= max(v) <= scale,
        f"up to 32 numbers from 0.1 to {scale}",
    )
    _validate_images(config)
    place = "one {}, where the class goes"
    one, more = f"a text with {place}, or {IMAGENET_TEMPLATES}", f"up to 1000 texts with {place}"
    _require(config, "clip.prompt_template", lambda v: _is_template(v, IMAGENET_TEMPLATES), one)
    _require(
        config, "clip.more_templates", lambda v: len(v) <= 1000 and all(map(_is_template, v)), more
    )
    _require(
        config,
        "clip.description_clusters",
        lambda v: v is None or 0 < v <= 10**6,
        "from 1 to 1000000, or null",
    )
    _require(
        config, "optim.betas", lambda v: all(0 <= b < 1 for b in v), "two numbers from 0 to under 1"
    )
    _require(config, "label.confidence", lambda v: v is None or 0 <= v <= 1, "from 0 to 1, or null")
    _require(
        config,
        "tags.self_attention_blocks",
        lambda v: 0 <= (v or 0) <= 1000,
        "from 0 to 1000, or null",
    )
    if config.label.crf and config.label.par:
        raise InputError("label.crf and label.par are both true; one of them refines the masks")
    _require(config, "train.seed", lambda v: v < 2**32, "under 2**32")
    epochs = "from 0 to 1000000, or null"
    _require(config, "train.epochs", lambda v: v is None or 0 < v <= 10**6, epochs)
    if config.train.epochs is not None and config.train.steps != AUTO:
        raise InputError(
            f"train.epochs={config.train.epochs:g} and train.steps={config.train.steps} both say "
            "how long; add train.steps=auto, or leave train.epochs out"
        )
    if config.KNOWN:
        _validate_parts(config)
        _validate_graphs(config)


def _validate_images(config: Config) -> None:
    """The same for how images are read, and large ones cut."""
    _require(config, "data.bands", _are_bands, "three numbers of bands, counted from 1, or null")
    _require(
        config,
        "data.range",
        lambda v: v is None or (len(v) == 2 and v[0] < v[1]),
        "two rising numbers, or null",
    )
    _require(config, "eval.tile", _is_tile, f"from {SMALLEST_TILE} to {LONGEST_SIDE}, or null")
    _require(config, "eval.overlap", lambda v: 0 <= v <= 0.75, "a share from 0 to 0.75")
    tile, seen = config.eval.tile, config.eval.long_side
    if tile is not None and isinstance(seen, int) and tile >= seen:
        raise InputError(
            f"eval.tile={tile} cuts nothing, for images are seen at eval.long_side={seen}; add "
            "eval.long_side=null to see them at their own size, or take smaller tiles"
        )
    smallest = min(config.eval.scales)
    if tile is not None and tile * smallest < LARGEST_PATCH:
        raise InputError(
            f"eval.tile={tile} at scale {smallest} of eval.scales is smaller than a "
            f"patch ({LARGEST_PATCH} pixels); take larger tiles or scales"
        )


def _validate_parts(config: Config) -> None:
    """The same for the parts: those chosen are there and can read what they need."""
    for name in ("label", "windows", "memory"):
        for key, (ok, allowed) in parts.rules_of(type(getattr(config, name))):
            _require(config, f"{name}.{key}", ok, allowed)
    for (kind_name, name), part in config.KNOWN.items():
        section = next(kind.section for kind in parts.KINDS if kind.name == kind_name)
        for key, (ok, allowed) in parts.rules_of(part):
            _require(config, f"{section}.{name}.{key}", ok, allowed)
    for kind in parts.KINDS:
        for name in chosen(config, kind):
            reads = getattr(config.part(kind, name), "reads", ())
            parts.require_readable(f"{kind.name} '{name}'", reads, _provided(config))
    config.embedder()
    name = chosen(config, parts.METHOD)[0]
    corrects = getattr(config.KNOWN[parts.METHOD.name, name], "reads_corrected", False)
    if config.data.corrected is not None and not corrects:
        raise InputError(
            f"data.corrected={config.data.corrected}: method '{name}' does not read corrected "
            "masks; take another method.name, or put reads_corrected into its settings"
        )


def _validate_graphs(config: Config) -> None:
    """The same for CUDA graphs; whether the device has them is seen when it is chosen."""
    if not config.train.cuda_graphs:
        return
    if config.train.deterministic:
        raise InputError(
            "train.cuda_graphs=true and train.deterministic=true contradict each other, for a run "
            "that is resumed records at another step; leave one of them out"
        )
    if not getattr(config.KNOWN[parts.METHOD.name, config.method.name], "replays", False):
        raise InputError(
            f"train.cuda_graphs=true: the method '{config.method.name}' has nothing to replay; "
            "leave it out, or take method.name=weclip or weclip_plus"
        )


def _provided(config: Config) -> tuple[str, ...]:
    """What parts may read of `parts.PROVIDED`."""
    method = config.KNOWN[parts.METHOD.name, chosen(config, parts.METHOD)[0]]
    return ("guide", "regions", *getattr(method, "provides", ()))


def chosen(config: Config, kind: parts.Kind) -> list[str]:
    """Names of the parts of a kind that a configuration chooses.

    Raises:
        InputError: There is no such part, or one is chosen twice, or none.
    """
    value = reduce(getattr, kind.key.split("."), cast(Any, config))
    names = list(value) if kind.several else [value]
    known = [name for kind_name, name in config.KNOWN if kind_name == kind.name]
    for name in names:
        if name not in known:
            hint = f"{did_you_mean(str(name), known)} ".lstrip()
            raise InputError(
                f"{kind.key}: there is no {kind.name} '{name}'; {hint}known: "
                f"{', '.join(sorted(known))}; one of your own needs --plugin FILE.py"
            )
        if names.count(name) > 1:
            raise InputError(f"{kind.key}: '{name}' is named twice; name it once")
    if not names:
        raise InputError(f"{kind.key} is empty; name at least one of {', '.join(sorted(known))}")
    return names


def _numbers(section: Any, prefix: str = "") -> Iterator[str]:
    """Dotted keys of all numbers and lists of numbers."""
    for each in fields(section):
        value = getattr(section, each.name)
        if is_dataclass(value):
            yield from _numbers(value, f"{prefix}{each.name}.")
        elif isinstance(value, float) or _is_list_of_numbers(value):
            yield prefix + each.name


def _at_most(most: int, value: int | str) -> bool:
    return isinstance(value, str) or value <= most


def _is_side(value: int | str | None) -> bool:
    return value is None or isinstance(value, str) or 32 <= value <= LONGEST_SIDE


def _are_bands(value: tuple[int, ...] | None) -> bool:
    return value is None or (len(value) == 3 and all(0 < band <= MOST_BANDS for band in value))


def _is_tile(value: int | None) -> bool:
    return value is None or SMALLEST_TILE <= value <= LONGEST_SIDE


def _is_template(text: str, other: str | None = None) -> bool:
    return text == other or [text.count(part) for part in ("{}", "{", "}")] == [1, 1, 1]


def _is_list_of_numbers(value: Any) -> bool:
    return isinstance(value, tuple | list) and not any(isinstance(each, str) for each in value)


def _is_finite(value: Any) -> bool:
    return all(map(isfinite, value if isinstance(value, tuple | list) else [value]))


def _is_small(value: Any) -> bool:
    return all(abs(v) <= LARGEST for v in (value if isinstance(value, tuple | list) else [value]))


def _require(config: Config, key: str, ok: Callable[[Any], bool], allowed: str) -> None:
    value = reduce(getattr, key.split("."), cast(Any, config))
    if not ok(value):
        text = str(value)
        text = text if len(text) <= 100 else f"{text[:100]}..."
        raise InputError(f"{key}={text} is not allowed; it must be {allowed}")
