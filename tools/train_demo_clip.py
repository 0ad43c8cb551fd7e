"""Train the demo's tiny CLIP from images and captions only; no mask is ever read.

Images are emoji scenes; a caption is the set of words for what is visible (classes, distractors,
background). Four losses compare patch tokens with words: every patch must look like a word of its
image's caption; every caption word must be found in some patches; the classes of the caption must
win over the other classes where they are strongest; the mean of the patches (and the class token)
must match the caption. A fifth makes softmax Grad-CAM agree with the patch probabilities. In the
last phases patches learn from pseudo-labels instead: the CLIP labels scenes of one object by its
own CAMs and the captions, with attention affinity and PAR as the demo does for its decoder, and
learns from scenes composed of the labelled objects, attention too, which is to stay within a label.
The last block is trained as attention alone, without its residual path, because Grad-CAM sees only
what passes through that attention; at export the attention's output is scaled up so that the
residual is negligible in the standard forward pass.

    python tools/train_demo_clip.py --out runs/clip --drawings NOTO --drawings FLUENT ...

Drawings in other styles are optional; the model card lists those that the shipped weights had.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from demo_captions import Pool, Vocabulary, render_pool
from demo_clip_model import CLASSES, PATCH, CaptionedImages, TinyClip, losses
from demo_composition import LabelledPool, compose, patch_shares
from demo_pseudo_labels import label_objects, label_scenery, object_scenes
from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD

LOSS_WEIGHTS = {
    "patch": 1.0,
    "class": 1.0,
    "find": 0.5,
    "mean": 0.5,
    "token": 0.1,
    "cam": 1.0,
    "attention": 0.5,
}


@dataclass(frozen=True)
class Phase:
    """A part of the training.

    Attributes:
        size: Pixels per side.
        steps: How many.
        batch: Images per step.
        labelled: Whether patches learn from pseudo-labels, which the CLIP makes at the beginning
            of the phase, in scenes composed of labelled objects.
    """

    size: int
    steps: int
    batch: int
    labelled: bool = False


PHASES = (
    Phase(64, 720, 144),
    Phase(96, 1530, 56),
    Phase(128, 500, 32),
    Phase(128, 1700, 32, labelled=True),
    Phase(128, 1700, 32, labelled=True),
    Phase(128, 1700, 32, labelled=True),
    Phase(128, 1350, 32, labelled=True),
    Phase(128, 1350, 32, labelled=True),
    Phase(128, 2000, 32, labelled=True),
    *(Phase(128, 1800, 32, labelled=True) for _ in range(6)),
)
"""First one sprite, then scenes, then rounds on pseudo-labels."""

DECAY = 0.12
"""Share of all steps over which the learning rate falls to 0, at the end."""

AVERAGE = 0.998
"""Decay per step of the moving average of the weights, which makes labels and is exported."""


def normalise(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness and contrast of (B, 3, S, S) images in 0..1, and normalise for CLIP."""
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(x), 1, 1, 1))).float()
    shift = torch.from_numpy(rng.uniform(-0.08, 0.08, (len(x), 3, 1, 1))).float()
    x = (x * gain + shift).clamp(0, 1)
    return (x - torch.tensor(CLIP_MEAN).view(3, 1, 1)) / torch.tensor(CLIP_STD).view(3, 1, 1)


def learning_rate(step: int, peak: float) -> float:
    """Short warm-up, then constant, then linearly down to 0."""
    steps = sum(phase.steps for phase in PHASES)
    return peak * min(1.0, (step + 1) / 200, (steps - step) / (DECAY * steps))


class Captioned:
    """Random batches of scenes with captions only."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def batch(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, None]:
        """Images (B, 3, S, S) in 0..1, captions (B, V), no labels."""
        chosen = rng.integers(len(self.pool.images), size=count)
        x, captions = self.pool.pick(chosen)
        flip = torch.from_numpy(rng.random(count) < 0.5)
        x[flip] = x[flip].flip(-1)
        return x, captions, None


class Labelled:
    """Random batches of scenes composed of labelled objects."""

    def __init__(self, objects: LabelledPool, scenery: LabelledPool) -> None:
        self.objects, self.scenery = objects, scenery

    def batch(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, 3, S, S) in 0..1, captions (B, V), shares as in `CaptionedImages`."""
        images, labels, captions = compose(self.objects, self.scenery, count, CLASSES, rng)
        return images, captions, patch_shares(labels, images.shape[-1] // PATCH, 1 + CLASSES)


class Training:
    """The run: model, optimiser, scenes; continues from `last.pt` in the output folder."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args = args
        self.vocabulary = Vocabulary()
        self.model = TinyClip()
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
        if args.compile:
            self.model.tokens = torch.compile(self.model.tokens)  # type: ignore[method-assign]
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.trained, weight_decay=0.05, betas=(0.9, 0.98), fused=True
        )
        self.step, self.seconds = 0, 0.0
        args.out.mkdir(parents=True, exist_ok=True)
        if (args.out / "last.pt").exists():
            saved = torch.load(args.out / "last.pt", weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.average.load_state_dict(saved["average"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.step, self.seconds = saved["step"], saved["seconds"]
        self.start = time.monotonic() - self.seconds

    def run(self) -> None:
        """Run what is left of all phases."""
        end = 0
        for phase in PHASES:
            end += phase.steps
            if self.step < end:
                self.run_phase(phase, end)

    def run_phase(self, phase: Phase, end: int) -> None:
        """Render and perhaps label the scenes of a phase, and train to step `end`."""
        first = end - phase.steps
        source = self.labelled(phase, first) if phase.labelled else self.captioned(phase)
        while self.step < end:
            terms = self.train_step(phase, source)
            if self.step % 50 == 0 or self.step + 1 == end:
                row = {"step": self.step, "seconds": round(time.monotonic() - self.start, 1)}
                print(
                    json.dumps(row | {k: round(v.item(), 4) for k, v in terms.items()}), flush=True
                )
            self.step += 1
            if self.step % self.args.save_every == 0 or self.step == end:
                self.save()

    def captioned(self, phase: Phase) -> Captioned:
        """Render scenes like the demo's."""
        args = self.args
        return Captioned(render_pool(args.pool, phase.size, args.seed, "any", args.drawings))

    def labelled(self, phase: Phase, first: int) -> Labelled:
        """Render scenes of one object, label them with the weights of step `first`, and scenery."""
        args = self.args
        file = args.out / f"labelled_from_{first}.safetensors"
        if not file.exists():
            save_file(self.export(), file)
        seed = args.seed + 1_000 * first
        pool = render_pool(args.pool // 2, phase.size, seed, "object", args.drawings)
        objects = label_objects(file, object_scenes(pool, CLASSES))
        print(f"labelled {len(pool.images)} scenes, kept {len(objects.pool.images)}", flush=True)
        scenery = render_pool(args.pool // 4, phase.size, seed, "scenery", args.drawings)
        return Labelled(objects, label_scenery(scenery))

    def train_step(self, phase: Phase, source: Captioned | Labelled) -> dict[str, Tensor]:
        """One optimiser step; returns the losses by name."""
        rng = np.random.default_rng((self.args.seed, 7, self.step))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.args.rate)
        images, captions, shares = source.batch(phase.batch, rng)
        images = normalise(images, rng)
        with torch.autocast("cpu", torch.bfloat16):
            text = self.model.text_features(self.vocabulary.words, rng)
            batch = CaptionedImages(images, captions, self.vocabulary.members, text, shares)
            terms = losses(self.model, batch, cam=self.step >= self.args.cam_from)
        self.optimiser.zero_grad()
        torch.stack([LOSS_WEIGHTS[name] * term for name, term in terms.items()]).sum().backward()
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(50.0))
        self.average.update_parameters(self.model)
        return terms

    def export(self) -> dict[str, Tensor]:
        """The averaged weights as OpenAI-layout float16."""
        averaged: TinyClip = self.average.module
        return averaged.export(self.vocabulary.words)

    def save(self) -> None:
        """Write the resumable state and the exported weights."""
        state = {"model": self.model.state_dict(), "average": self.average.state_dict()}
        state |= {"optimiser": self.optimiser.state_dict()}
        state |= {"step": self.step, "seconds": time.monotonic() - self.start}
        out = self.args.out
        torch.save(state, out / "last.tmp")
        (out / "last.tmp").replace(out / "last.pt")
        save_file(self.export(), out / "clip.tmp")
        (out / "clip.tmp").replace(out / "clip.safetensors")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--drawings",
        type=Path,
        action="append",
        default=[],
        help="folder of <code point>.png or .webp in another style; may be repeated",
    )
    parser.add_argument("--cam-from", type=int, default=1000)
    parser.add_argument("--pool", type=int, default=9000)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--compile", action="store_true", help="faster; needs a C++ compiler")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=250)
    Training(parser.parse_args()).run()


if __name__ == "__main__":
    main()
