"""CorrCLIP's dense features: one call from tokens, guide features and regions to an embedding.

Stage 3. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025, as in its released code; one image, or one window
of it, at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.labels.region_attention.attention import attention, merge_alike, scope
from weclip.labels.region_attention.branches import gathered, region_rows, spatial_blocks
from weclip.labels.region_attention.ids import nearest_ids, no_region_id


@dataclass(frozen=True, kw_only=True)
class RegionAttentionSettings:
    """Constants of CorrCLIP.

    Attributes:
        temperature: Factor of the cosines before the softmax.
        spatial_weight: Of the spatial branch beside the main one.
        semantic_weight: Of the semantic branch.
        merge_regions: Whether regions that are alike become one.
        merge_distance: How far apart they may be, about 1 - cosine.
        least_id_is_none: Whether the smallest id that is there means "in no region", as released;
            else 0 does.
    """

    temperature: float
    spatial_weight: float
    semantic_weight: float
    merge_regions: bool
    merge_distance: float
    least_id_is_none: bool


@dataclass(frozen=True)
class RegionEmbedding:
    """Features of N patches of the fine grid, and what they were made of.

    Attributes:
        features: (N, J) in the joint space of images and texts, not unit.
        fine_grid: (h_f, w_f), with N = h_f * w_f.
        ids: (h_f, w_f) int64, after merging.
        coarse_ids: (h, w) int64, the same on CLIP's grid.
        scope: (N, N) bool, which patches see each other.
        attention: (N, N), rows sum to 1.
        branches: (3, N, D) float32 after `ln_post`: main, spatial, semantic.
    """

    features: Tensor
    fine_grid: tuple[int, int]
    ids: Tensor
    coarse_ids: Tensor
    scope: Tensor
    attention: Tensor
    branches: Tensor

    def unit(self) -> Tensor:
        """(N, J) unit rows."""
        return F.normalize(self.features, dim=-1)

    def planes(self, rows: Tensor) -> Tensor:
        """Rows (N, K) of these patches as (K, h_f, w_f)."""
        return torch.unflatten(rows.T, 1, self.fine_grid)


@torch.no_grad()
def region_embedding(
    encoder: ClipImageEncoder,
    entering: Sequence[Tensor],
    patch_grid: tuple[int, int],
    guide: Tensor,
    fine_grid: tuple[int, int],
    ids: Tensor,
    settings: RegionAttentionSettings,
) -> RegionEmbedding:
    """Dense features of one image.

    Args:
        encoder: Frozen CLIP.
        entering: L inputs (1, 1+n, D) of blocks 1..L; see `block_inputs`.
        patch_grid: (h, w), with n = h * w.
        guide: (N, J_g) features of a guide encoder on the fine grid, row by row; made unit here.
        fine_grid: (h_f, w_f), with N = h_f * w_f.
        ids: (H, W) int64 of the image's pixels; 0: in no region.
        settings: Constants.
    """
    similar, fine_ids, none = related(guide, nearest_ids(ids, fine_grid), settings)
    allowed = scope(similar, fine_ids.flatten(), none)  # (N, N)
    weights = attention(similar, allowed, temperature=settings.temperature)
    coarse_ids = nearest_ids(fine_ids, patch_grid)
    spatial = torch.stack(list(entering[spatial_blocks(encoder.depth)])).mean(dim=0)
    tokens = torch.cat([entering[-1], spatial])  # (2, 1+n, D)
    main, spatial = gathered(encoder, tokens, weights, patch_grid, fine_grid)  # (N, D) each
    semantic = region_rows(encoder, entering, coarse_ids, fine_grid)  # (N, D)
    branches = torch.stack([main, spatial, semantic]).float()
    with torch.autocast(branches.device.type, enabled=False):
        branches = encoder.ln_post(branches)
        shares = (1.0, settings.spatial_weight, settings.semantic_weight)
        total = torch.einsum("b,bnd->nd", branches.new_tensor(shares), branches)
        features = total @ encoder.proj.float()
    return RegionEmbedding(features, fine_grid, fine_ids, coarse_ids, allowed, weights, branches)


def related(
    guide: Tensor, ids: Tensor, settings: RegionAttentionSettings
) -> tuple[Tensor, Tensor, int | None]:
    """How alike patches are, and the regions that they are in.

    Args:
        guide: (N, J_g), of any length.
        ids: (h_f, w_f) int64.
        settings: Constants.

    Returns:
        Cosines (N, N) float32, ids (h_f, w_f) after merging, and that of "in no region", if any.
    """
    with torch.autocast(guide.device.type, enabled=False):
        unit = F.normalize(guide.float(), dim=-1)
        none = no_region_id(ids, least=settings.least_id_is_none)
        if settings.merge_regions:
            merged = merge_alike(unit, ids.flatten(), none, distance=settings.merge_distance)
            ids = merged.view_as(ids)
        return unit @ unit.T, ids, none
