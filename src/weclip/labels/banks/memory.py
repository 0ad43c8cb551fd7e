"""A memory of images without tags: a region takes from what alike regions of others look like.

Stage 3. The memory bank of CorrCLIPv2 (the journal extension of Zhang, Liu, Tang, "CorrCLIP", ICCV
2025); constants as in its released code. Keys are a guide encoder's features, values are CLIP's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.guide import Guide
from weclip.backbones.named import FrozenBackbone
from weclip.labels.banks.feature_bank import FeatureBank
from weclip.labels.banks.region_features import as_maps, means_at_pixels
from weclip.labels.region_attention.ids import nearest_ids
from weclip.labels.regions.regions import IN_NONE
from weclip.system.errors import InputError


def region_keys(guide: Guide, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Unit means of a guide's features over regions, which keys and queries are.

    Args:
        guide: Of one image.
        ids: (H, W) int64 of its regions.

    Returns:
        The ids that are there, ascending (P,), and their features (P, J).
    """
    present, mean = means_at_pixels(as_maps(guide), ids, unit=True)
    return present, F.normalize(mean, dim=1)


def memory_rows(guide: Guide, embedding: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """What a memory keeps of an image; what is in no region is left out.

    Args:
        guide: Of the image.
        embedding: (J_v, h, w), CLIP's patch embedding; its length counts where that varies.
        ids: (H, W) int64 of the image's regions.

    Returns:
        Keys (P, J) and values (P, J_v), unit rows, in ascending order of ids.
    """
    present, keys = region_keys(guide, ids)
    values = F.normalize(means_at_pixels(embedding, ids, unit=False)[1], dim=1)
    real = present != IN_NONE
    return keys[real], values[real]


@dataclass(frozen=True)
class Memory:
    """A bank, and how much of it a region takes.

    Attributes:
        bank: Keys and values.
        neighbours: Rows that a region takes the mean of.
        own_weight: Share of an image's own features, in [0, 1].
    """

    bank: FeatureBank
    neighbours: int
    own_weight: float

    def support(self, queries: Tensor, *, but: bytes | None) -> Tensor:
        """Unit means (P, J_v) of the neighbours' values; 0 where there is no neighbour.

        Args:
            queries: (P, J) of `region_keys`.
            but: As in `FeatureBank.nearest`.
        """
        rows, _ = self.bank.nearest(queries, self.neighbours, but=but)
        if rows.shape[1] == 0:
            return queries.new_zeros(len(queries), self.bank.values.shape[1])
        return F.normalize(self.bank.values[rows].float().mean(dim=1), dim=1)

    @torch.no_grad()
    def remember(
        self,
        embedding: Tensor,
        patch_grid: tuple[int, int],
        guide: Guide,
        ids: Tensor,
        *,
        but: bytes | None = None,
    ) -> Tensor:
        """Patch embeddings of an image, mixed with what its regions' neighbours look like.

        Cosines with texts of what comes back are the weighted means of both cosines, so it is not
        made unit again. Where the bank has no row of another image, features stay as they are.

        Args:
            embedding: (N, J_v), made unit here.
            patch_grid: (h, w), with N = h * w.
            guide: Of the image, on its own grid.
            ids: (H, W) int64 of regions; 0 is one too.
            but: Digest of the image, whose own rows are left out.

        Returns:
            (N, J_v).
        """
        present, queries = region_keys(guide, ids)
        support = self.support(queries, but=but)
        row = torch.searchsorted(present, nearest_ids(ids, patch_grid).flatten())  # (N,)
        unit = F.normalize(embedding.float(), dim=1)
        mixed = self.own_weight * unit + (1 - self.own_weight) * support[row]
        alone = (support == 0).all(dim=1)[row, None]
        return torch.where(alone, unit, mixed)


def require_made_alike(
    bank: FeatureBank, encoders: Mapping[str, FrozenBackbone], made: str, where: str
) -> None:
    """InputError unless a bank was made with these encoders, in this way.

    Args:
        bank: What was read.
        encoders: Those of the configuration, by name.
        made: How the configuration makes keys and values.
        where: Key and file, for the message.
    """
    for name, here in encoders.items():
        then = bank.encoders.get(name)
        if then is None:
            raise InputError(f"{where}: it was made without {name}; make it again with it")
        if then.sha256 != here.sha256:
            raise InputError(
                f"{where}: made with {name} {then.name} (SHA-256 {then.sha256[:12]}...), but here "
                f"is {here.name} ({here.sha256[:12]}...); give the same weights, or make it again"
            )
        if then.computes != here.computes:
            raise InputError(
                f"{where}: made with {then.name} as ({then.computes}), but here it is read as "
                f"({here.computes}); make it again"
            )
    if bank.made != made:
        raise InputError(
            f"{where}: made of '{bank.made}', but here is '{made}'; give the same "
            "cam.source, cam.embedding and settings of theirs, "
            "or make it again"
        )
