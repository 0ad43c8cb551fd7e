"""From attention to a transition matrix that spreads CAMs; what the affinities share.

Stage 3, WeCLIP section 3.3 (refinement module), CLIP-ES section 3.4 (class-aware attention
affinity), and the released code for the constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weclip.system.errors import InputError


@dataclass(frozen=True)
class Refined:
    """Maps after an affinity: those of `propagate` by its transition and mask.

    Attributes:
        affinity: (B, N, N), what the transition was made of.
        transition: (B, N, N), what spread the maps.
        cam: (B, K, h, w).
        mask: (B, K, h, w) bool, the patches that spread; None: all.
    """

    affinity: Tensor
    transition: Tensor
    cam: Tensor
    mask: Tensor | None = None

    @torch.no_grad()
    def of(self, cam: Tensor) -> "Refined":
        """Other maps (B, K, h, w), spread in the same way."""
        with torch.autocast(cam.device.type, enabled=False):
            return replace(self, cam=propagate(cam, self.transition, self.mask))


def patch_attention(attention: Sequence[Tensor], last: int) -> Tensor:
    """The last maps without their class token.

    Args:
        attention: L maps (B, 1+N, 1+N).
        last: How many of the last maps to keep; all, where there are fewer.

    Returns:
        (min(L, last), B, N, N).
    """
    return torch.stack([block[:, 1:, 1:] for block in attention[-last:]])


def attention_affinity(
    attention: Tensor, feature_affinity: Tensor | None, *, signed: bool
) -> Tensor:
    """(B, N, N): the mean of attention maps (L', B, N, N), or what a decoder makes of them.

    Args:
        attention: The maps.
        feature_affinity: (B, N, N) of a decoder that refines them; None without.
        signed: As in `refined_affinity`.
    """
    if feature_affinity is None:
        return attention.mean(dim=0)
    return refined_affinity(attention, feature_affinity, signed=signed)


def refined_affinity(attention: Tensor, feature_affinity: Tensor, *, signed: bool) -> Tensor:
    """Average the attention maps that are closest to the decoder's affinity, times that affinity.

    WeCLIP Eq. 5 to 7; no gradient flows.

    Args:
        attention: (L', B, N, N) candidate maps.
        feature_affinity: (B, N, N) in (0, 1), of the decoder.
        signed: Sum signed differences as the released code does (the choice then ignores
            `feature_affinity`), instead of the paper's absolute ones.

    Returns:
        (B, N, N).
    """
    target = feature_affinity.detach().to(attention.dtype)
    difference = target - attention  # (L', B, N, N)
    distance = (difference if signed else difference.abs()).sum(dim=(2, 3))  # (L', B)
    # The rounded mean of equal distances can lie below all of them.
    mean_distance = distance.mean(dim=0).maximum(distance.amin(dim=0))
    keep = (distance <= mean_distance).to(attention.dtype)
    mean = torch.einsum("lb,lbnm->bnm", keep, attention) / (keep.sum(dim=0) + 1e-5)[:, None, None]
    return mean * target


def sinkhorn_transition(affinity: Tensor, rounds: int, power: int = 2) -> Tensor:
    """Normalise columns and rows in turn, symmetrise, and square, or take another power.

    CLIP-ES Eq. 6 and 7.

    Args:
        affinity: (B, N, N), positive.
        rounds: Number of column and row normalisations.
        power: Steps along the transition.

    Returns:
        (B, N, N).
    """
    transition = affinity
    for _ in range(rounds):
        transition = transition / transition.sum(dim=1, keepdim=True)
        transition = transition / transition.sum(dim=2, keepdim=True)
    transition = (transition + transition.transpose(1, 2)) / 2
    powered: Tensor = torch.linalg.matrix_power(transition, power)
    return powered


def near_pairs(patch_grid: tuple[int, int], radius: int, device: torch.device) -> Tensor:
    """(N, N) bool, the pairs of patches at most `radius` apart, in y and in x."""
    rows = torch.arange(patch_grid[0], device=device).repeat_interleave(patch_grid[1])
    columns = torch.arange(patch_grid[1], device=device).repeat(patch_grid[0])
    apart = torch.maximum((rows[:, None] - rows).abs(), (columns[:, None] - columns).abs())
    return apart <= radius


def window_transition(
    affinity: Tensor, patch_grid: tuple[int, int], *, radius: int, power: float, eps: float
) -> Tensor:
    """An affinity within a window, sharpened; each target's sources sum to less than 1.

    AFA section 3.3 and its released code, which has targets in columns; the affinity is symmetric.

    Args:
        affinity: (B, N, N) in (0, 1), symmetric.
        patch_grid: (h, w), with h * w = N.
        radius: Patches further apart, in y or in x, do not spread to each other.
        power: Exponent of each entry.
        eps: Added to the sum over sources.

    Returns:
        (B, N, N), row: target patch, column: source patch.
    """
    near = near_pairs(patch_grid, radius, affinity.device)
    sharp = torch.where(near, affinity, 0) ** power
    return sharp / (sharp.sum(dim=2, keepdim=True) + eps)


def propagate(cam: Tensor, transition: Tensor, mask: Tensor | None = None) -> Tensor:
    """Spread each map along the transition, from all patches or those inside its boxes.

    Args:
        cam: (B, K, h, w).
        transition: (B, N, N), row: target patch, column: source patch.
        mask: (B, K, h, w) bool, the source patches that count; None: all.

    Returns:
        (B, K, h, w).
    """
    sources = (cam if mask is None else cam * mask).flatten(2)  # (B, K, N)
    return torch.einsum("bnm,bkm->bkn", transition, sources).view_as(cam)


def require_linear(refined: Refined, cam: Tensor) -> None:
    """InputError if an affinity does more to maps (B, K, h, w) than its transition and mask say.

    Weighted maps are spread by these, so the rest of what it does would be lost.
    """
    if not torch.allclose(refined.of(cam).cam, refined.cam, rtol=1e-3, atol=1e-5):
        raise InputError(
            "affinity.source: its maps are not those of its own transition and mask, by which "
            "WeCLIP+ spreads weighted maps; give them in `Refined`, or add "
            "method.weclip_plus.refine_from=-1"
        )
