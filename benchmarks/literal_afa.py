"""AFA as its equations are written down: no fused attention, all classes, both labels every step.

What it computes is the same; `benchmarks/step.py --size afa` measures it beside ours.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.mit.blocks import Grid, ReducedAttention
from weclip.data.batch import Batch, Share
from weclip.labels.tag_slots import TagSlots, min_max
from weclip.labels.two_scores.guide import colours
from weclip.labels.two_scores.mirrored import maps_of_tags, resize, scale_size
from weclip.methods.afa import Afa
from weclip.methods.heads.cam_runs import CamRuns
from weclip.methods.heads.mlp_head import MlpHead, ScoreAffinity
from weclip.methods.loss_inputs import Total


class LiteralAttention(ReducedAttention):
    """Every map of attention is formed."""

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """As `ReducedAttention.forward`."""
        query, key, value = self.project(x, grid)
        scores = query @ key.transpose(-2, -1)
        return self.merge((scores * query.shape[-1] ** -0.5).softmax(dim=-1) @ value)


class LiteralHead(MlpHead):
    """All maps are resized, put side by side, and mixed."""

    def fused(self, maps: Any) -> Tensor:
        """As `MlpHead.fused`."""
        planes = [
            resize(projection(each.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), maps[0].shape[2:])
            for each, projection in zip(maps, self.projections, strict=True)
        ]
        fused: Tensor = self.fuse(torch.cat(planes[::-1], dim=1))
        return fused


class LiteralAffinity(ScoreAffinity):
    """All maps and their transposes are added before they are mixed."""

    def forward(self, scores: Tensor) -> Tensor:
        """As `ScoreAffinity.forward`."""
        with torch.autocast(scores.device.type, enabled=False):
            mixed: Tensor = self.mix(scores + scores.transpose(2, 3))
            return mixed[:, 0].sigmoid()


class LiteralAfa(Afa):
    """Image and mirror image in one batch, through all heads, for all classes."""

    @torch.no_grad()
    def look(
        self, image: Tensor, slots: TagSlots, scale: float, share: Share | None, total: Total
    ) -> CamRuns:
        """As `Afa.look`."""
        network, size, cam, kept = self.network, (image.shape[2], image.shape[3]), [], None
        normalised = network.encoder.normalise(image)
        for each in self.settings.cam_scales:
            scaled = resize(normalised, scale_size(size, each))
            features = network.encoder(torch.cat([scaled, scaled.flip(-1)]))
            network.segmenter(features.maps, None, total)
            affinity = network.affinity(features.scores)
            if each == scale:
                kept = affinity[: len(image)], features.patch_grid
            straight, mirrored = resize(network.class_maps(features), size).chunk(2)
            cam.append(F.relu(torch.maximum(straight, mirrored.flip(-1))))
        maps = min_max(torch.stack(cam).sum(0), self.settings.cam_eps)
        assert kept is not None
        chosen = maps_of_tags(maps, slots) * slots.filled[..., None, None]
        return CamRuns(chosen, *kept)

    @torch.no_grad()
    def make_labels(
        self, runs: CamRuns, slots: TagSlots, batch: Batch, step: int
    ) -> tuple[Tensor, Tensor]:
        """As `Afa.make_labels`, both whether they are read or not."""
        guide = colours(batch.image, runs.cam.dtype, truncated=self.settings.truncated_guide)
        with torch.autocast(self.device.type, enabled=False):
            initial = self.initial_label(runs, slots, guide, batch)
            target = self.propagated_label(runs, slots, guide, batch)
        return initial, target if step > self.settings.initial_labels_until else initial


def make_literal(method: Afa) -> None:
    """Put the literal forms in place of ours; the weights stay."""
    method.__class__ = LiteralAfa
    method.network.affinity.__class__ = LiteralAffinity
    method.network.segmenter.__class__ = LiteralHead
    for module in method.network.encoder.modules():
        if isinstance(module, ReducedAttention):
            module.__class__ = LiteralAttention
