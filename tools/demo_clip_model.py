"""The tiny CLIP of the demo while it trains: towers with gradients, and the losses."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_encoder import ClipTextEncoder, tokenize
from weclip.demo.world import CLASS_NAMES

CLASSES = len(CLASS_NAMES)
PATCH = 8

TEMPLATES = (
    "a clean origami {}.",
    "a photo of a {}.",
    "a drawing of a {}.",
    "an emoji of a {}.",
    "{}",
)
EXPORT_GAIN = 64.0
"""Factor on the last attention's output that makes its residual path negligible."""


class TinyClip(nn.Module):
    """The towers with gradients, and the temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.image = ClipImageEncoder(
            width=192, blocks=6, patch_size=PATCH, native_grid=16, joint_size=128
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

    def tokens(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, 1+N, D) after block L-1, and the sum of attention (B, 1+N, 1+N) so far."""
        x, _ = self.image.embed(image)
        total = torch.zeros(())
        for block in self.image.transformer.resblocks[:-1]:
            x, attention = block.with_map(x)
            total = total + attention
        return x, total

    def project(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """Joint features (B, 1+N, J) of every token, from the last block's `ln_1` output.

        Also returns its attention (B, 1+N, 1+N).
        """
        block = self.image.transformer.resblocks[-1]
        attended, attention = block.attn.with_map(normalised)
        return self.image.ln_post(attended) @ self.image.proj, attention

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


@dataclass(frozen=True)
class CaptionedImages:
    """What the losses compare.

    Attributes:
        images: (B, 3, S, S) normalised.
        captions: (B, V) bool, concepts that are visible.
        members: (words, V) one-hot, which concept a word belongs to.
        text: (words, J) unit text features.
        shares: (B, N, 1+classes), pseudo-labelled part of each patch, background first; or None.
    """

    images: Tensor
    captions: Tensor
    members: Tensor
    text: Tensor
    shares: Tensor | None

    def probability(self, features: Tensor, scale: Tensor) -> Tensor:
        """Softmax over words, summed to concepts (..., V), of joint features (..., J)."""
        with torch.autocast("cpu", enabled=False):
            words = (scale * F.normalize(features, dim=-1) @ self.text.T).softmax(-1)
            return words @ self.members


def losses(model: TinyClip, batch: CaptionedImages, *, cam: bool) -> dict[str, Tensor]:
    """The losses of one batch by name; `cam` adds the Grad-CAM term."""
    scale = model.logit_scale.exp()
    block = model.image.transformer.resblocks[-1]
    tokens, attention = model.tokens(batch.images)
    normalised = block.ln_1(tokens)
    joint, last_attention = model.project(normalised)
    joint = joint.float()  # (B, 1+N, J)
    captions, pooled = batch.captions, joint[:, 1:].mean(1)
    patches = batch.probability(joint[:, 1:], scale)  # (B, N, V)
    top = patches.topk(max(3, patches.shape[1] // 24), dim=1).values.mean(1)  # (B, V)
    target = captions / captions.sum(1, keepdim=True)

    def match(probability: Tensor) -> Tensor:
        return -(probability.clamp_min(1e-6).log() * target).sum(1).mean()

    result = {
        "patch": patch_loss(patches, captions, batch.shares),
        "class": class_loss(top[:, :CLASSES].clamp_min(1e-9).log(), captions[:, :CLASSES]),
        "find": match(top),
        "mean": match(batch.probability(pooled, scale)),
        "token": match(batch.probability(joint[:, 0], scale)),
    }
    if batch.shares is not None:
        maps = (attention + last_attention)[:, 1:, 1:]
        result["attention"] = attention_loss(maps, batch.shares)
    if cam:
        wanted = patches.detach() if batch.shares is None else batch.shares[..., 1:]
        result["cam"] = cam_loss(model, batch, normalised, pooled, wanted)
    return result


def patch_loss(patches: Tensor, captions: Tensor, shares: Tensor | None) -> Tensor:
    """Each patch must look like some word of the caption, or like its pseudo-label if it has one.

    Args:
        patches: (B, N, V) concept probabilities.
        captions: (B, V) bool.
        shares: As in `CaptionedImages`.
    """
    allowed = patches * captions[:, None]
    if shares is None:
        return -allowed.sum(-1).clamp_min(1e-6).log().mean()
    scenery = allowed[..., CLASSES:].sum(-1, keepdim=True)
    probability = torch.cat([scenery, allowed[..., :CLASSES]], dim=-1)
    return -(shares * probability.clamp_min(1e-4).log()).sum(-1).mean()


def attention_loss(attention: Tensor, shares: Tensor) -> Tensor:
    """Each patch should attend to patches of its own label.

    Args:
        attention: (B, N, N), summed over blocks.
        shares: (B, N, 1+classes).
    """
    with torch.autocast("cpu", enabled=False):
        same = shares @ shares.transpose(1, 2)  # (B, N, N)
        inside = (attention.float() * same).sum(-1) / attention.float().sum(-1)
        return -inside.clamp_min(1e-4).log().mean()


def class_loss(scores: Tensor, present: Tensor) -> Tensor:
    """Cross-entropy of each present class against the absent ones.

    Args:
        scores: (B, classes) log-scores.
        present: (B, classes) bool.
    """
    absent = scores.masked_fill(present, -torch.inf).logsumexp(1, keepdim=True)
    return (torch.logaddexp(scores, absent) - scores)[present].mean()


def cam_loss(
    model: TinyClip, batch: CaptionedImages, normalised: Tensor, pooled: Tensor, wanted: Tensor
) -> Tensor:
    """Squared difference of softmax Grad-CAM and what it should be, for one tag of each image.

    The Grad-CAM softmax runs over the image's tags and everything that is not a class.

    Args:
        model: The towers.
        batch: The batch.
        normalised: (B, 1+N, D), the output of the last block's `ln_1`.
        pooled: (B, J) image embeddings.
        wanted: (B, N, classes or more), the map of each class in [0, 1].
    """
    rivals = batch.captions.clone()
    rivals[:, CLASSES:] = True
    tag = torch.multinomial(batch.captions[:, :CLASSES].float() + 1e-9, 1)  # (B, 1)
    with torch.autocast("cpu", enabled=False):
        logits = model.logit_scale.exp() * F.normalize(pooled, dim=-1) @ batch.text.T
        logits = logits.masked_fill(~(rivals.float() @ batch.members.T).bool(), -1e4)
        probability = (logits.softmax(-1) @ batch.members).gather(1, tag)
    (gradient,) = torch.autograd.grad(probability.sum(), normalised, create_graph=True)
    weight = F.normalize(gradient[:, 1:].float().mean(1, keepdim=True), dim=-1)  # (B, 1, D)
    cam = F.relu((weight * normalised[:, 1:].float()).sum(-1))  # (B, N)
    cam = cam / (cam.amax(1, keepdim=True).detach() + 1e-6)
    wanted = wanted.gather(2, tag[:, None].expand(-1, wanted.shape[1], -1))[..., 0]
    tagged = batch.captions[:, :CLASSES].any(1)
    return ((cam - wanted) ** 2).mean(1)[tagged].mean()
