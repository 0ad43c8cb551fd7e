"""Time of one training step by stage: ours and the published form, in one run.

python benchmarks/step.py                      # random ViT-B/16, batch 4, crop 320
python benchmarks/step.py --size demo          # the shipped tiny CLIP, as the demo trains it
python benchmarks/step.py --size plus          # WeCLIP+ on a random ViT-B/16 and a random ViT-S/14

WeCLIP+ has no published form here: ours alone, in float32 and bf16.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from measuring import device, matrix_peak, now, show, write
from published_form import PublishedForm, PublishedMaps
from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.build import assemble, build_method
from weclip.config import Config, whole
from weclip.config_file import load_config
from weclip.data.batch import Batch
from weclip.data.classes import load_classes
from weclip.system.memory import keep_freed_memory
from weclip.tasks.load.backbones import open_backbones
from weclip.training.schedule import build_optimizer

STAGES = {
    "maps.image_encoder": "encoder",
    "maps.guide": "second encoder",
    "trained": "decoder",
    "maps.make": "Grad-CAM",
    "maps.spread": "affinity",
    "make_label": "PAR and pseudo-label",
}


def full_size_method(preset: str = "voc") -> tuple[Any, Config]:
    """A preset for VOC on a random ViT-B/16 with random text features, and a random ViT-S/14."""
    config = load_config(preset, ["data.root=.", "clip.weights=.", "dino.weights=."])
    encoder = ClipImageEncoder(width=768, blocks=12, patch_size=16, native_grid=14, joint_size=512)
    unit = torch.nn.functional.normalize
    text = TextFeatures(unit(torch.randn(20, 512), dim=1), unit(torch.randn(25, 512), dim=1), 100.0)
    dino = None
    if config.method.name == "weclip_plus":
        dino = DinoImageEncoder(width=384, blocks=12, patch_size=14, native_grid=37)
    return assemble(config, encoder, text, load_classes("voc").num_classes, dino), config


def demo_method() -> tuple[Any, Config]:
    """WeCLIP at the demo's size, with the published affinity, which both forms have."""
    config = load_config("demo", ["data.root=.", "affinity.source=attention"])
    return build_method(config, open_backbones(config), load_classes("demo")), config


def random_batch(method: Any, config: Config) -> Batch:
    """Random pixels with one, two or three tags an image."""
    size, count = whole(config.data.crop_size), whole(config.train.batch_size)
    tags = torch.zeros(count, len(method.maps.class_text), dtype=torch.bool)
    for index, row in enumerate(tags):
        row[torch.randperm(len(row))[: 1 + index % 3]] = True
    image = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    return Batch(image, tags, torch.tensor([[0, 0, size, size]] * count), ("",) * count)


class Stopwatch:
    """Sums the time spent, and the products' FLOP done, in functions that it wraps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.flop: dict[str, int] = defaultdict(int)
        self.counting = False

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, measured under `name`."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            if self.counting:
                with FlopCounterMode(display=False) as counter:
                    result = function(*args, **kwargs)
                self.flop[name] += counter.get_total_flops()
                return result
            start = now()
            result = function(*args, **kwargs)
            self.seconds[name] += now() - start
            return result

        return measured


def measure(
    method: Any, config: Config, *, bf16: bool, published: bool, repeats: int
) -> tuple[dict[str, float], dict[str, int]]:
    """Mean seconds of each stage and of the whole step, and the FLOP of the products in it.

    Args:
        method: What to measure; it is changed.
        config: Its configuration.
        bf16: Whether under autocast.
        published: Whether the label stage takes the published form.
        repeats: How many steps count, after one that warms up and one that counts FLOP.
    """
    method.to(device()).train()
    if published:
        method.__class__, method.maps.__class__ = PublishedForm, PublishedMaps
        encode = method.image_encoder.forward
        method.image_encoder.forward = lambda image, maps=None: encode(image)
    watch = Stopwatch()
    for attribute, name in STAGES.items():
        part = attrgetter(attribute)(method)
        if part is None:
            continue
        if isinstance(part, torch.nn.Module):
            part.forward = watch.wrap(name, part.forward)
        else:
            setattr(part.__self__, part.__name__, watch.wrap(name, part))
    optim = config.optim
    optimizer = build_optimizer(
        method.parameter_groups(),
        weight_decay=optim.weight_decay,
        betas=optim.betas,
        eps=optim.eps,
    )
    batch = random_batch(method, config).to(device())

    def learn(loss: torch.Tensor) -> None:
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    learn_timed = watch.wrap("backward and optimiser", learn)
    for repeat in range(-2, repeats):
        watch.counting = repeat == -2
        if repeat == 0:
            watch.seconds.clear()
            start = now()
        with torch.autocast(device(), torch.bfloat16, enabled=bf16):
            output = method.training_step(batch, step=0)
        learn_timed(output.loss)
    whole = now() - start
    watch.seconds["losses and the rest"] = whole - sum(watch.seconds.values())
    watch.seconds["whole step"] = whole
    watch.flop["whole step"] = sum(watch.flop.values())
    return {name: seconds / repeats for name, seconds in watch.seconds.items()}, watch.flop


def compare(size: str, kind: str, repeats: int) -> dict[str, Any]:
    """Measure ours at "float32" or "bf16" beside the published form, and print a table."""
    forms, flop, memory = {}, {}, {}
    for form in ("ours",) if size == "plus" else ("ours", "published"):
        command = [sys.executable, __file__, "--one", form, kind, "--size", size]
        command += ["--repeats", str(repeats)]
        output = subprocess.check_output(command)
        forms[form], flop[form], memory[form] = json.loads(output)
    peak = matrix_peak(torch.bfloat16 if kind == "bf16" else torch.float32)
    rows = []
    for name, ours in forms["ours"].items():
        theirs = forms.get("published", {}).get(name)
        work = flop["ours"].get(name, 0)
        share = f"{100 * work / ours / peak:.0f} %" if work else ""
        of_theirs = (f"{1000 * theirs:.0f}", f"{theirs / ours:.1f}") if theirs else ("-", "-")
        rows.append((name, f"{1000 * ours:.0f}", *of_theirs, f"{work / 1e9:.0f}", share))
    columns = ("stage", "ours, ms", "published form, ms", "times", "GFLOP", "share of peak")
    show(f"{size}, {kind}, {device()}; peak memory {memory['ours'] / 1e9:.2f} GB", columns, rows)
    return {"seconds": forms, "flop": flop, "peak_memory": memory, "matrix_peak": peak}


def measure_one(size: str, form: str, kind: str, repeats: int) -> None:
    """Print the figures of one form as JSON; in its own process, so that memory starts afresh."""
    if form == "ours":
        keep_freed_memory()  # as the command line does
    torch.manual_seed(0)
    presets = {"full": "voc", "plus": "voc-plus"}
    method, config = demo_method() if size == "demo" else full_size_method(presets[size])
    published = form == "published"
    figures = measure(method, config, bf16=kind == "bf16", published=published, repeats=repeats)
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([*figures, memory]))


def main() -> None:
    """Parse, measure, print tables and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("full", "demo", "plus"), default="full")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "KIND"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure_one(args.size, *args.one, args.repeats)
        return
    figures = {kind: compare(args.size, kind, args.repeats) for kind in ("float32", "bf16")}
    write(args.out, {"what": f"training step, {args.size}", **figures})


if __name__ == "__main__":
    main()
