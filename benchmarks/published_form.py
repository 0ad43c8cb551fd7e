"""The label stage as the published code does it, to measure ours against in the same run.

A restatement of its form, not its text: one forward and one backward pass of the last block per
tag, PAR by dilated convolutions with one-hot kernels that gather every neighbour, image by image.
The numbers are ours (a test compares them), only the way to them is longer.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.pixel_refine import ParSettings
from weclip.labels.pixel_refine.settings import DIRECTIONS, position_weights
from weclip.labels.pseudo_label import PseudoLabel, label_map_of, resize_cam, with_background
from weclip.labels.tag_maps import TagMaps
from weclip.labels.tag_slots import TagSlots, min_max
from weclip.labels.view import View
from weclip.methods.weclip import WeClip


class PublishedMaps(TagMaps):
    """Grad-CAM in the published form."""

    def make(self, view: View, slots: TagSlots) -> Tensor:
        """One pass per image and tag."""
        with torch.autocast(self.mean.device.type, enabled=False):
            maps = self.mean.new_zeros(*slots.index.shape, *view.patch_grid)
            attention = []
            for b, tokens in enumerate(view.tokens[-1].float()):
                for k in range(int(slots.filled[b].sum())):
                    tags = slots.index[b][slots.filled[b]]
                    maps[b, k], block_attention = self._one_map(
                        tokens[None], tags, k, view.patch_grid
                    )
                attention.append(block_attention)
        view.last_block = SimpleNamespace(attention=torch.cat(attention))
        return maps

    def _one_map(
        self, tokens: Tensor, tags: Tensor, k: int, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        encoder, block = self.image_encoder, self.image_encoder.transformer.blocks[-1]
        texts = torch.cat([self.class_text[tags], self.background_text])
        with torch.enable_grad():
            normalised = block.ln_1(tokens).detach().requires_grad_()
            attended, attention = block.attn.with_map(normalised)
            x = tokens + attended
            x = encoder.ln_post(x + block.mlp(block.ln_2(x)))
            embedding = F.normalize(x[:, 1:].mean(dim=1) @ encoder.proj, dim=-1)
            (self.scale * embedding @ texts.T).softmax(-1)[0, k].backward()
        weight = normalised.grad[0, 1:].mean(0)
        cam = F.relu((weight * normalised.detach()[0, 1:]).sum(-1)).view(grid)
        eps = self.source.min_max_eps
        return min_max(min_max(cam, eps), eps), attention.detach()


class PublishedForm(WeClip):
    """WeCLIP whose PAR has the published form."""

    @torch.no_grad()
    def make_label(self, cam: Tensor, slots: TagSlots, guide: Tensor) -> PseudoLabel:
        """PAR image by image."""
        size = (guide.shape[-2], guide.shape[-1])
        cam = resize_cam(cam, slots, size, self.labels.min_max_eps)
        scores = with_background(cam, self.labels.background_power)
        filled = F.pad(slots.filled, (1, 0), value=True)
        refined = torch.full_like(scores, -torch.inf)
        for b, rows in enumerate(filled):
            refined[b, rows] = par(scores[b : b + 1, rows], guide[b : b + 1], self.labels.par)[0]
        return PseudoLabel(cam, refined, label_map_of(refined, slots.index))


def par(maps: Tensor, image: Tensor, settings: ParSettings) -> Tensor:
    """PAR of maps (B, M, H, W) by an image (B, 3, H, W), every neighbour gathered."""
    image = F.interpolate(image.float(), maps.shape[-2:], mode="bilinear", align_corners=True)
    around = _neighbours(image, settings)  # (B, 3, 8d, H, W)
    difference = (around - image[:, :, None]).abs()
    deviation = around.std(dim=2, keepdim=True)
    score = -((difference / (deviation + 1e-8) / settings.colour_width) ** 2)
    position = position_weights(settings).to(maps.device).view(1, 1, -1, 1, 1)
    weights = score.mean(dim=1, keepdim=True).softmax(dim=2) + position
    for _ in range(settings.iterations):
        maps = (_neighbours(maps, settings) * weights).sum(dim=2)
    return maps


def _neighbours(x: Tensor, settings: ParSettings) -> Tensor:
    """All neighbours (B, M, 8d, H, W) by convolution with one-hot kernels."""
    batch, maps, height, width = x.shape
    kernel = torch.zeros(8, 1, 3, 3, device=x.device)
    for index, (y, column) in enumerate(DIRECTIONS):
        kernel[index, 0, 1 + y, 1 + column] = 1
    gathered = [
        F.conv2d(F.pad(x.flatten(0, 1)[:, None], (d,) * 4, mode="replicate"), kernel, dilation=d)
        for d in settings.dilations
    ]
    parts = [part.view(batch, maps, 8, height, width) for part in gathered]
    return torch.cat(parts, dim=2)
