"""Time of one training step by stage, at full size or the demo's, on random or given weights.

python benchmarks/step.py                      # ViT-B/16, batch 4, crop 320
python benchmarks/step.py --size demo          # the shipped tiny CLIP, as the demo trains it
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from weclip.api import open_clip
from weclip.backbones.clip_image import ClipImageEncoder
from weclip.build import build_decoder, build_method, build_weclip
from weclip.config import Config
from weclip.config_file import load_config
from weclip.data.batch import Batch
from weclip.data.classes import load_classes
from weclip.methods.weclip import TextFeatures, WeClip
from weclip.provenance import versions
from weclip.training.schedule import build_optimizer

STAGES = {
    "image_encoder": "encoder",
    "decoder": "decoder",
    "make_cam": "Grad-CAM",
    "refine": "affinity",
    "make_label": "PAR and pseudo-label",
}


def full_size_method() -> tuple[WeClip, Config]:
    """WeCLIP on a random ViT-B/16 with random text features, for VOC."""
    config, classes = Config(), load_classes("voc")
    encoder = ClipImageEncoder(width=768, blocks=12, patch_size=16, native_grid=14, joint_size=512)
    unit = torch.nn.functional.normalize
    text = TextFeatures(unit(torch.randn(20, 512), dim=1), unit(torch.randn(25, 512), dim=1), 100.0)
    return build_method(config, encoder, text, build_decoder(config, encoder, classes)), config


def demo_method() -> tuple[WeClip, Config]:
    """WeCLIP as the demo trains it."""
    config = load_config("demo", ["data.root=."])
    return build_weclip(config, open_clip(config), load_classes("demo")), config


def random_batch(method: WeClip, config: Config) -> Batch:
    """Random pixels with one, two or three tags an image."""
    size, count = config.data.crop_size, config.train.batch_size
    tags = torch.zeros(count, method.class_text.shape[0], dtype=torch.bool)
    for index, row in enumerate(tags):
        row[torch.randperm(len(row))[: 1 + index % 3]] = True
    image = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    return Batch(image, tags, torch.tensor([[0, 0, size, size]] * count), ("",) * count)


class Stopwatch:
    """Sums the time spent in functions it wraps."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)

    def now(self) -> float:
        """Seconds, after the device has finished its work."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed under `name`."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = self.now()
            result = function(*args, **kwargs)
            self.seconds[name] += self.now() - start
            return result

        return timed


def measure(method: WeClip, config: Config, *, device: str, bf16: bool, repeats: int) -> dict:
    """Mean seconds of each stage, and of the whole step, after one warm-up."""
    method.to(device).train()
    watch = Stopwatch(device)
    for attribute, name in STAGES.items():
        part = getattr(method, attribute)
        if isinstance(part, torch.nn.Module):
            part.forward = watch.wrap(name, part.forward)
        else:
            setattr(method, attribute, watch.wrap(name, part))
    optim = config.optim
    optimizer = build_optimizer(
        method.decoder.parameters(),
        weight_decay=optim.weight_decay,
        betas=optim.betas,
        eps=optim.eps,
    )
    batch = random_batch(method, config).to(device)
    for repeat in range(repeats + 1):
        if repeat == 1:
            watch.seconds.clear()
            start = watch.now()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            output = method.training_step(batch, step=0)
        forward_end = watch.now()
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        watch.seconds["backward and optimiser"] += watch.now() - forward_end
    whole = watch.now() - start
    watch.seconds["losses and the rest"] = whole - sum(watch.seconds.values())
    watch.seconds["whole step"] = whole
    return {name: seconds / repeats for name, seconds in watch.seconds.items()}


def main() -> None:
    """Parse, measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("full", "demo"), default="full")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    method, config = full_size_method() if args.size == "full" else demo_method()
    seconds = measure(method, config, device=device, bf16=args.bf16, repeats=args.repeats)
    size, count = config.data.crop_size, config.train.batch_size
    kind = "bf16" if args.bf16 else "float32"
    table = Table(title=f"{args.size}: batch {count}, crop {size}, {kind}, {device}")
    table.add_column("stage")
    table.add_column("ms", justify="right")
    table.add_column("share", justify="right")
    for name, value in seconds.items():
        table.add_row(name, f"{1000 * value:.1f}", f"{100 * value / seconds['whole step']:.0f} %")
    Console().print(table)
    if args.out:
        record = {"size": args.size, "precision": kind, "seconds": seconds, "versions": versions()}
        args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
