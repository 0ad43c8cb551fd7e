"""Train the demo's tiny CLIP from images and captions only; no mask is ever read.

Images are emoji scenes; a caption is the set of words for what is visible (classes, distractors,
background). Four losses compare patch tokens with words: every patch must look like a word of its
image's caption; every caption word must be found in some patches; the classes of the caption must
win over the other classes where they are strongest; the mean of the patches (and the class token)
must match the caption. A fifth makes softmax Grad-CAM agree with the patch probabilities. The last
block is trained as attention alone, without its residual path, because Grad-CAM sees only what
passes through that attention; at export the attention's output is scaled up so that the residual
is negligible in the standard forward pass.

    python tools/train_demo_clip.py --out runs/clip --steps 5000
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from demo_captions import Vocabulary, render_pool
from weclip.backbones.clip_image import CLIP_MEAN, CLIP_STD, ClipImageEncoder
from weclip.backbones.clip_text import ClipTextEncoder, tokenize
from weclip.demo.world import CLASS_NAMES

TEMPLATES = (
    "a clean origami {}.",
    "a photo of a {}.",
    "a drawing of a {}.",
    "an emoji of a {}.",
    "{}",
)
PHASES = ((64, 0.16, 144), (96, 0.34, 56), (128, 0.5, 32))
"""Pixels per side, share of the steps, and images per step: first one sprite, then scenes."""

EXPORT_GAIN = 64.0
"""Factor on the last attention's output that makes its residual path negligible."""


class TinyClip(nn.Module):
    """The towers with gradients, and the temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.image = ClipImageEncoder(
            width=192, blocks=6, patch_size=8, native_grid=16, joint_size=128
        )
        self.text = ClipTextEncoder(
            width=64, blocks=2, vocabulary=49408, context=77, joint_size=128
        )
        last = self.image.transformer.resblocks[-1]
        nn.init.zeros_(last.mlp.c_proj.weight)
        nn.init.zeros_(last.mlp.c_proj.bias)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(14.0)))
        self.requires_grad_(True)
        last.mlp.requires_grad_(False)
        last.ln_2.requires_grad_(False)

    def tokens(self, image: Tensor) -> Tensor:
        """Tokens (B, 1+N, D) after block L-1 of normalised images."""
        x, _ = self.image.embed(image)
        for block in self.image.transformer.resblocks[:-1]:
            x = block(x)
        return x

    def project(self, normalised: Tensor) -> Tensor:
        """Joint features (B, 1+N, J) of every token, from the last block's `ln_1` output."""
        block = self.image.transformer.resblocks[-1]
        attended, _ = block.attn.with_map(normalised)
        return self.image.ln_post(attended) @ self.image.proj

    def text_features(self, words: list[str], rng: np.random.Generator) -> Tensor:
        """Text features (words, J) of unit length, each word in a random template."""
        chosen = rng.choice(len(TEMPLATES), len(words), p=(0.5, 0.125, 0.125, 0.125, 0.125))
        ids = tokenize([TEMPLATES[t].format(w) for t, w in zip(chosen, words, strict=True)])
        features: Tensor = self.text(ids[:, : int((ids != 0).sum(1).max())])
        return features.float()

    def export(self, words: list[str]) -> dict[str, Tensor]:
        """OpenAI-layout float16 weights; token rows that `words` never trained are zero."""
        state = {f"visual.{k}": v for k, v in self.image.state_dict().items()}
        state |= self.text.state_dict()
        state["logit_scale"] = self.logit_scale
        used = tokenize(
            [template.format(word) for template in TEMPLATES for word in words]
        ).unique()
        trained = torch.zeros_like(state["token_embedding.weight"])
        trained[used] = state["token_embedding.weight"][used]
        state["token_embedding.weight"] = trained
        last = f"visual.transformer.resblocks.{self.image.depth - 1}.attn.out_proj."
        for name in ("weight", "bias"):
            state[last + name] = state[last + name] * EXPORT_GAIN
        return {key: value.detach().half().contiguous() for key, value in state.items()}


def losses(
    model: TinyClip, images: Tensor, captions: Tensor, members: Tensor, text: Tensor, *, cam: bool
) -> dict[str, Tensor]:
    """The losses of one batch.

    Args:
        model: The towers.
        images: (B, 3, S, S) normalised.
        captions: (B, V) bool.
        members: (words, V) one-hot, which concept a word belongs to.
        text: (words, J) unit text features.
        cam: Whether to add the Grad-CAM term.
    """
    scale = model.logit_scale.exp()
    block = model.image.transformer.resblocks[-1]
    normalised = block.ln_1(model.tokens(images))
    joint = model.project(normalised).float()  # (B, 1+N, J)

    def concept_probability(features: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            words = (scale * F.normalize(features, dim=-1) @ text.T).softmax(-1)
            return words @ members

    patches = concept_probability(joint[:, 1:])  # (B, N, V)
    allowed = (patches * captions[:, None]).sum(-1)
    top = patches.topk(max(3, patches.shape[1] // 24), dim=1).values.mean(1)  # (B, V)
    target = captions / captions.sum(1, keepdim=True)
    pooled = joint[:, 1:].mean(1)
    classes = len(CLASS_NAMES)
    result = {
        "patch": -allowed.clamp_min(1e-6).log().mean(),
        "class": class_loss(top[:, :classes].clamp_min(1e-9).log(), captions[:, :classes]),
        "find": -(top.clamp_min(1e-6).log() * target).sum(1).mean(),
        "mean": -(concept_probability(pooled).clamp_min(1e-6).log() * target).sum(1).mean(),
        "token": -(concept_probability(joint[:, 0]).clamp_min(1e-6).log() * target).sum(1).mean(),
    }
    if cam:
        result["cam"] = cam_agreement(model, normalised, pooled, patches, captions, members, text)
    return result


def class_loss(scores: Tensor, present: Tensor) -> Tensor:
    """Cross-entropy of each present class against the absent ones.

    Args:
        scores: (B, classes) log-scores.
        present: (B, classes) bool.
    """
    absent = scores.masked_fill(present, -torch.inf).logsumexp(1, keepdim=True)
    return (torch.logaddexp(scores, absent) - scores)[present].mean()


def cam_agreement(
    model: TinyClip,
    normalised: Tensor,
    pooled: Tensor,
    patches: Tensor,
    captions: Tensor,
    members: Tensor,
    text: Tensor,
) -> Tensor:
    """Squared difference of softmax Grad-CAM and patch probability, for one tag of each image.

    The Grad-CAM softmax runs over the image's tags and everything that is not a class.
    """
    classes = len(CLASS_NAMES)
    allowed = captions.clone()
    allowed[:, classes:] = True
    tag_weights = captions[:, :classes].float() + 1e-9
    tag = torch.multinomial(tag_weights, 1)  # (B, 1)
    with torch.autocast("cpu", enabled=False):
        logits = model.logit_scale.exp() * F.normalize(pooled, dim=-1) @ text.T
        logits = logits.masked_fill(~(allowed.float() @ members.T).bool(), -1e4)
        probability = (logits.softmax(-1) @ members).gather(1, tag)
    (gradient,) = torch.autograd.grad(probability.sum(), normalised, create_graph=True)
    weight = gradient[:, 1:].float().mean(1, keepdim=True)
    weight = weight / (weight.norm(dim=-1, keepdim=True) + 1e-8)
    cam = F.relu((weight * normalised[:, 1:].float()).sum(-1))  # (B, N)
    cam = cam / (cam.amax(1, keepdim=True).detach() + 1e-6)
    wanted = patches.detach().gather(2, tag[:, None].expand(-1, patches.shape[1], -1))[..., 0]
    tagged = captions[:, :classes].any(1)
    return ((cam - wanted) ** 2).mean(1)[tagged].mean()


def to_input(images: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Augment (flip, brightness, contrast) and normalise (B, S, S, 3) uint8 to (B, 3, S, S)."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    flip = torch.from_numpy(rng.random(len(x)) < 0.5)
    x[flip] = x[flip].flip(-1)
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(x), 1, 1, 1))).float()
    shift = torch.from_numpy(rng.uniform(-0.08, 0.08, (len(x), 3, 1, 1))).float()
    x = (x * gain + shift).clamp(0, 1)
    return (x - torch.tensor(CLIP_MEAN).view(3, 1, 1)) / torch.tensor(CLIP_STD).view(3, 1, 1)


def train(args: argparse.Namespace) -> None:
    """Run the training; resumes from `last.pt` in the output folder."""
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary()
    pools = [render_pool(args.pool, size, args.seed) for size, _, _ in PHASES]
    ends = np.cumsum([share for _, share, _ in PHASES]) * args.steps
    model = TinyClip()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.05, betas=(0.9, 0.98))
    if args.init:
        model.load_state_dict(torch.load(args.init, weights_only=True)["model"])
    first, seconds = 0, 0.0
    if (args.out / "last.pt").exists():
        saved = torch.load(args.out / "last.pt", weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        first, seconds = saved["step"], saved["seconds"]
    start = time.monotonic() - seconds
    for step in range(first, args.steps):
        rng = np.random.default_rng((args.seed, 7, step))
        phase = int(np.searchsorted(ends, step, side="right"))
        warm = min(1.0, (step + 1) / 200)
        rate = args.rate * warm * 0.5 * (1 + math.cos(math.pi * step / args.steps))
        for group in optimiser.param_groups:
            group["lr"] = max(rate, 1e-6)
        pool = pools[phase]
        chosen = rng.integers(len(pool.images), size=PHASES[phase][2])
        with torch.autocast("cpu", torch.bfloat16):
            text = model.text_features(vocabulary.words, rng)
            terms = losses(
                model,
                to_input(pool.images[chosen], rng),
                torch.from_numpy(pool.captions[chosen]),
                vocabulary.members,
                text,
                cam=step >= args.cam_from,
            )
        total = terms["patch"] + terms["class"] + 0.5 * (terms["find"] + terms["mean"])
        total = total + 0.1 * terms["token"]
        total = total + args.cam_weight * terms.get("cam", 0.0)
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(50.0))
        if step % 50 == 0 or step + 1 == args.steps:
            row = {"step": step, "seconds": round(time.monotonic() - start, 1)}
            row |= {k: round(v.item(), 4) for k, v in terms.items()}
            row["scale"] = round(model.logit_scale.exp().item(), 2)
            print(json.dumps(row), flush=True)
        if (step + 1) % args.save_every == 0 or step + 1 == args.steps:
            save(model, optimiser, vocabulary.words, step + 1, time.monotonic() - start, args.out)


def save(
    model: TinyClip,
    optimiser: torch.optim.Optimizer,
    words: list[str],
    step: int,
    seconds: float,
    out: Path,
) -> None:
    """Write the resumable state and the exported weights."""
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state | {"step": step, "seconds": seconds}, out / "last.tmp")
    (out / "last.tmp").replace(out / "last.pt")
    save_file(model.export(words), out / "clip.tmp")
    (out / "clip.tmp").replace(out / "clip.safetensors")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="a last.pt whose weights to start from")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--cam-from", type=int, default=1000)
    parser.add_argument("--cam-weight", type=float, default=1.0)
    parser.add_argument("--pool", type=int, default=12000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=250)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
