"""Speed and scores of labels, tags and predictions in each precision.

python benchmarks/precision.py [DEMO ...] [--full] [--images N] [--out FILE] [--precisions ...]

Each DEMO is an output of `weclip demo`, of a seed of its own: its training scenes are labelled and
tagged, its held-out scenes predicted, and all are scored. `--full` adds a random ViT-B/16 on random
images, which has no scores. The precisions take turns image by image, so that all of them meet the
same noise. What `--out` holds already is not measured again.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from label import build, random_images
from measuring import device, now, show, write
from step import full_size_method
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.precision import DTYPES, FLOAT32, computing_in
from weclip.build.predictor import build_predictor
from weclip.build.without_training import build_tag_clip, build_training_free, tag_clip
from weclip.config_file import label_methods, load_config
from weclip.data.images.full_images import EvalItem, full_images
from weclip.inference.predictor import Predictor
from weclip.inference.scores.evaluate import score_label_maps
from weclip.inference.scores.tag_scores import score_tags
from weclip.labels.auto_tags import split_thresholds
from weclip.methods.tag_clip import TagClip
from weclip.methods.training_free import TrainingFree
from weclip.system.console import QUIET
from weclip.system.memory import keep_freed_memory
from weclip.tasks.datasets import open_configured
from weclip.tasks.evaluate.model import masked_images
from weclip.tasks.load.backbones import open_clip
from weclip.tasks.load.model import load_model

Found = NDArray[Any]
"""Class ids (H, W) of an image, or scores (C-1,) of its classes."""

PROTOCOLS = {
    "predict": ("eval.scales=[1.0]", "eval.flip=false"),
    "evaluate": ("eval.scales=[1.0,0.75]", "eval.flip=true"),
}
UNTAGGED = 0.5
"""`tags.floor` of the configuration."""


@dataclass(frozen=True)
class Work:
    """What is measured.

    Attributes:
        name: Of the row.
        items: Images.
        find: From a precision and an image to what is found.
        score: From what is found in all images to a score in per cent; None: there is none.
        decide: From what is found in all images to what is decided, compared between precisions.
    """

    name: str
    items: Sequence[EvalItem]
    find: Callable[[str, EvalItem], Found]
    score: Callable[[list[Found]], float] | None
    decide: Callable[[list[Found]], Found]


def labelled(method: TrainingFree, precision: str, item: EvalItem) -> Found:
    """The mask, as `weclip label` makes it."""
    with computing_in(precision, method.device):
        maps = method(item.image, item.tags or ())
    return maps.scores.label_map().numpy()


def tagged(method: TagClip, precision: str, item: EvalItem) -> Found:
    """The scores of the classes, as `weclip tag` makes them."""
    with computing_in(precision, method.device):
        return method(item.image).cpu().numpy()


def predicted(predictor: Predictor, precision: str, item: EvalItem) -> Found:
    """The prediction, as `weclip predict` makes it of a single image."""
    return replace(predictor, precision=precision)(item.image)


def flat(found: list[Found]) -> Found:
    """All pixels."""
    return np.concatenate([each.ravel() for each in found])


def chosen(found: list[Found]) -> Found:
    """(M, C-1) bool: which image gets which tag."""
    scores = torch.from_numpy(np.stack(found))
    return (scores > split_thresholds(scores, UNTAGGED)).numpy()


def miou(items: Sequence[EvalItem], classes: int, found: list[Found]) -> float:
    """mIoU in per cent."""
    maps = ((item.name, ids, item.mask) for item, ids in zip(items, found, strict=True))
    return 100 * score_label_maps(maps, num_classes=classes).scores.miou


def f1(items: Sequence[EvalItem], names: Sequence[str], found: list[Found]) -> float:
    """Micro F1 of the tags in per cent."""
    rows = zip(items, chosen(found), strict=True)
    made = {item.name: tuple(np.flatnonzero(row).tolist()) for item, row in rows}
    true = {item.name: item.tags or () for item in items}
    return 100 * score_tags(made, true, names)["micro"].f1


def demo_works(demo: Path, images: int | None) -> list[Work]:
    """Labels, tags and predictions of a demo's scenes."""
    changes = [f"data.root={json.dumps(str(demo / 'world'))}"]
    config = load_config("demo", changes)
    dataset, clip = open_configured(config), open_clip(config)
    classes, names = dataset.classes.num_classes, dataset.classes.names
    read = partial(full_images, num_classes=classes, workers=0)
    items = list(read(dataset.read_masked_split("train")[:images]))
    works = []
    for name in label_methods():
        own = load_config("demo", changes, method=name)
        method = build_training_free(own, clip, dataset.classes).to(device())
        score = partial(miou, items, classes)
        works.append(Work(f"label, {name}", items, partial(labelled, method), score, flat))
    tagger = build_tag_clip(config, clip, dataset.classes).to(device())
    works.append(Work("tag", items, partial(tagged, tagger), partial(f1, items, names), chosen))
    for name, protocol in PROTOCOLS.items():
        model = load_model(demo / "run", overrides=[*changes, "data.eval_split=val", *protocol])
        held_out = list(read(masked_images(model, QUIET)[:images]))
        predictor = build_predictor(model.config, model.method.to(device()))
        score = partial(miou, held_out, classes)
        works.append(Work(name, held_out, partial(predicted, predictor), score, flat))
    return works


def full_works(images: int | None) -> list[Work]:
    """The same by a random ViT-B/16 on random images, which nothing is right about."""
    torch.manual_seed(0)
    parts, config = full_size_method()
    maps = parts.to(device()).maps
    mask = np.zeros((1, 1), np.uint8)
    given = random_images(images or 6, len(maps.class_text))
    items = [EvalItem(str(i), image, mask, tags) for i, (image, tags) in enumerate(given)]
    works = []
    for name in label_methods():
        method = build(parts, name, ()).to(device())
        works.append(Work(f"label, {name}", items, partial(labelled, method), None, flat))
    text = TextFeatures(maps.class_text, maps.background_text, maps.scale)
    tagger = tag_clip(config, parts.image_encoder, text).to(device())
    works.append(Work("tag", items, partial(tagged, tagger), None, chosen))
    for name, (scales, flip) in {
        "predict": ((1.0,), False),
        "evaluate": ((1.0, 0.75), True),
    }.items():
        predictor = Predictor(parts, 512, scales, flip, device=device())
        works.append(Work(name, items, partial(predicted, predictor), None, flat))
    return works


def measure(work: Work, precisions: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Figures of each precision."""
    for precision in precisions:
        work.find(precision, work.items[0])
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in precisions}
    found: dict[str, list[Found]] = {name: [] for name in precisions}
    for item in work.items:
        for precision in precisions:
            start, processor = now(), time.process_time()
            found[precision].append(work.find(precision, item))
            spent[precision].append((now() - start, time.process_time() - processor))
    exact = work.decide(found[FLOAT32])
    base = spent[FLOAT32]
    return {n: figures(work, spent[n], base, found[n], exact) for n in precisions}


def figures(
    work: Work,
    spent: list[tuple[float, float]],
    base: list[tuple[float, float]],
    found: list[Found],
    exact: Found,
) -> dict[str, float | None]:
    """Figures of one precision; `base` and `exact` are those of float32."""
    return {
        "images_per_second": 1 / median(wall for wall, _ in spent),
        "processor_milliseconds": 1000 * median(processor for _, processor in spent),
        "times": median(one[1] / each[1] for one, each in zip(base, spent, strict=True)),
        "score": work.score(found) if work.score else None,
        "same": 100 * float(np.mean(work.decide(found) == exact)),
    }


def rows(place: str, name: str, measured: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows of the table."""
    return [
        (
            f"{place}: {name}",
            precision,
            f"{each['images_per_second']:.2f}",
            f"{each['processor_milliseconds']:.0f}",
            f"{each['times']:.2f}",
            "-" if each["score"] is None else f"{each['score']:.2f}",
            f"{each['same']:.2f}",
        )
        for precision, each in measured.items()
    ]


def main() -> None:
    """Parse, measure what is not there, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demos", nargs="*", type=Path, metavar="DEMO")
    parser.add_argument("--full", action="store_true", help="also a random ViT-B/16")
    parser.add_argument("--images", type=int, help="of each work; default: all, 6 of full size")
    parser.add_argument(
        "--precisions", nargs="+", choices=[*DTYPES], default=[FLOAT32, "bf16"], metavar="NAME"
    )
    parser.add_argument("--out", type=Path, help="JSON file to write, or to go on with")
    args = parser.parse_args()
    keep_freed_memory()
    there = args.out is not None and args.out.is_file()
    done = json.loads(args.out.read_text(encoding="utf-8"))["figures"] if there else {}
    places = {demo.name: partial(demo_works, demo, args.images) for demo in args.demos}
    if args.full:
        places["ViT-B/16"] = partial(full_works, args.images)
    title, shown = f"precisions on {device()}", []
    for place, make in places.items():
        for work in make():
            own = done.setdefault(place, {})
            own[work.name] = own.get(work.name) or measure(work, args.precisions)
            shown.extend(rows(place, work.name, own[work.name]))
            write(args.out, {"what": title, "figures": done})
    columns = ("", "precision", "images/s", "CPU ms", "times", "mIoU or F1, %", "as float32, %")
    show(title, columns, shown)


if __name__ == "__main__":
    main()
