"""Train the demo's tiny DINO from pictures alone; no tag, caption or mask is ever read.

Self-supervision of two kinds. Outlines: of a view in false colours, part of its patches hidden,
each patch must tell which way the edges run around it in the true colours (histograms of oriented
gradients, as in MaskFeat). Contrast: the teacher (the student's moving average) sees another view
of the same place; each patch of the student must recognise the teacher's token there among those
of all other places, and the class token that of the same picture (as in MoCo and dense contrastive
learning). The changes of colour grow over the first half; the patch embedding is kept blind to
colour. The teacher is exported, in the hub's names.

    python tools/train_demo_dino.py --out runs/dino --drawings EMOJIONE --neutral-drawings NOTO ...
"""

import argparse
import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from demo_dino_model import QUEUE, TinyDino, losses
from demo_dino_scenes import render_pictures
from demo_dino_views import two_views


@dataclass(frozen=True)
class Phase:
    """A part of the training.

    Attributes:
        until: Share of all steps at which it ends.
        size: Pixels per side of a view.
        batch: Pictures per half of a step.
        scale: Least and largest side of a view, as a share of a picture's.
    """

    until: float
    size: int
    batch: int
    scale: tuple[float, float]


PHASES = (Phase(0.85, 64, 20, (0.35, 0.8)), Phase(1.0, 128, 6, (0.6, 1.1)))

HALVES = 2
"""Halves of a batch that are computed at the same time, each by a thread of its own."""

LOSS_WEIGHTS = {"class": 0.15, "patch": 0.15, "outline": 10.0}

RAMP = 0.5
"""Share of all steps over which the changes of colour become as strong as they are to be."""

COOLDOWN = 0.25
"""Share of all steps over which the rate falls to 0, at the end."""


class Training:
    """The run; continues from `last.pt` in the output folder."""

    def __init__(self, args: argparse.Namespace, pictures: NDArray[np.uint8]) -> None:
        torch.manual_seed(args.seed)
        self.args, self.pictures, self.phases = args, pictures, PHASES
        self.student = TinyDino()
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        for unused in (self.student.mask_token, self.student.encoder.registers):
            unused.requires_grad_(False)
        self.trained = [p for p in self.student.parameters() if p.requires_grad]
        decayed = [p for p in self.trained if p.dim() > 1]
        others = [p for p in self.trained if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 0.04}, {"params": others, "weight_decay": 0}]
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
        self.queues = {"class": torch.zeros(0, 128), "patch": torch.zeros(0, 128)}
        self.workers = ThreadPoolExecutor(HALVES)
        self.step, self.seconds = 0, 0.0
        args.out.mkdir(parents=True, exist_ok=True)
        if (args.out / "last.pt").exists():
            saved = torch.load(args.out / "last.pt", weights_only=True)
            self.student.load_state_dict(saved["student"])
            self.teacher.load_state_dict(saved["teacher"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.queues, self.step, self.seconds = saved["queues"], saved["step"], saved["seconds"]
        self.start = time.monotonic() - self.seconds

    def run(self) -> None:
        """Train to the last step; print the losses and save on the way."""
        while self.step < self.args.steps:
            terms = self.train_step()
            self.step += 1
            if self.step % 50 == 0:
                row = {"step": self.step, "seconds": round(time.monotonic() - self.start, 1)}
                row |= {name: round(term.item(), 4) for name, term in terms.items()}
                print(json.dumps(row), flush=True)
            if self.step % self.args.save_every == 0 or self.step == self.args.steps:
                self.save()

    def train_step(self) -> dict[str, Tensor]:
        """One step of student and teacher; returns the losses by name."""
        share = self.step / self.args.steps
        phase = next(phase for phase in self.phases if share < phase.until)
        strength = 0.2 + 0.7 * min(1.0, share / RAMP)
        torch.manual_seed(1_000_003 * self.args.seed + self.step)
        rate = self.args.rate * min(1.0, (self.step + 1) / 200, (1 - share) / COOLDOWN)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts = list(self.workers.map(self.gradients, [phase] * HALVES, [strength] * HALVES))
        for parameter, *found in zip(self.trained, *(part[0] for part in parts), strict=True):
            parameter.grad = torch.stack(found).mean(0)
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        self.student.blind()
        for name, queue in self.queues.items():
            self.queues[name] = torch.cat([*(part[2][name] for part in parts), queue])[:QUEUE]
        momentum = min(self.args.momentum, 1 - 1 / (self.step / 4 + 10))
        with torch.no_grad():
            theirs = list(self.teacher.parameters())
            torch._foreach_lerp_(theirs, list(self.student.parameters()), 1 - momentum)
        return {name: (parts[0][1][name] + parts[1][1][name]) / 2 for name in LOSS_WEIGHTS}

    def gradients(
        self, phase: Phase, strength: float
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor], dict[str, Tensor]]:
        """Gradients, losses and the teacher's tokens of half a batch."""
        chosen = torch.randint(len(self.pictures), (phase.batch,)).numpy()
        pictures = torch.from_numpy(self.pictures[chosen]).permute(0, 3, 1, 2).float() / 255
        views = two_views(pictures, phase.size, phase.scale, strength)
        with torch.autocast("cpu", torch.bfloat16):
            terms, tokens = losses(self.student, self.teacher, views, self.queues)
            total = torch.stack([LOSS_WEIGHTS[name] * term for name, term in terms.items()]).sum()
        gradients = torch.autograd.grad(total, self.trained)
        return gradients, {name: term.detach() for name, term in terms.items()}, tokens

    def save(self) -> None:
        """Write the resumable state and the exported teacher."""
        state = {"student": self.student.state_dict(), "teacher": self.teacher.state_dict()}
        state |= {"optimiser": self.optimiser.state_dict(), "queues": self.queues}
        state |= {"step": self.step, "seconds": time.monotonic() - self.start}
        out = self.args.out
        torch.save(state, out / "last.tmp")
        (out / "last.tmp").replace(out / "last.pt")
        save_file(self.teacher.export(), out / "dino.tmp")
        (out / "dino.tmp").replace(out / "dino.safetensors")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    for name, what in (("drawings", "all"), ("neutral-drawings", "what is of no class")):
        parser.add_argument(
            f"--{name}",
            type=Path,
            action="append",
            default=[],
            help=f"folder of .png or .webp in another style, {what} of it; may be repeated",
        )
    parser.add_argument("--pool", type=int, default=14000)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--momentum", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=250)
    args = parser.parse_args()
    pictures = args.out / f"pictures_{args.pool}_{args.seed}.npy"
    args.out.mkdir(parents=True, exist_ok=True)
    if not pictures.exists():
        drawn = render_pictures(args.pool, args.seed, args.drawings, args.neutral_drawings)
        np.save(pictures, drawn)
    Training(args, np.load(pictures)).run()


if __name__ == "__main__":
    main()
