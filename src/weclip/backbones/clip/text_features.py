"""What CLIP makes of a class list's texts, and how several texts of a class become one feature.

Stage 2.
"""

from dataclasses import dataclass
from importlib import resources

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.system.errors import InputError


@dataclass(frozen=True)
class TextFeatures:
    """Frozen text features of a class list.

    Attributes:
        classes: (C-1, J) unit rows.
        background: (G, J) unit rows.
        scale: CLIP's temperature, the exponential of its `logit_scale`.
    """

    classes: Tensor
    background: Tensor
    scale: float


def imagenet_templates() -> tuple[str, ...]:
    """The 80 templates that CLIP was published with for ImageNet; `{}` is where the name goes."""
    file = resources.files("weclip.backbones.clip").joinpath("imagenet_templates.txt")
    return tuple(file.read_text(encoding="utf-8").splitlines())


def text_probabilities(embedding: Tensor, text: Tensor, scale: float) -> Tensor:
    """Softmax over all texts, of classes and background words together.

    Args:
        embedding: (..., J) of unit length.
        text: (M, J) of unit length.
        scale: CLIP's temperature.

    Returns:
        (..., M), summing to 1.
    """
    return (scale * embedding.float() @ text.float().T).softmax(dim=-1)


def mean_unit(features: Tensor) -> Tensor:
    """(J,) mean of unit rows (P, J), made unit again; a single row stays what it is.

    Prompt ensembling; Radford et al. 2021, section 3.1.4.
    """
    return features[0] if len(features) == 1 else F.normalize(features.mean(dim=0), dim=-1)


def enrich(classes: Tensor, descriptions: Tensor, *, share: float, weight: float) -> Tensor:
    """Add to each class those descriptions, of any class, that are most like it.

    Text semantic enrichment of ExCEL (Yang et al., CVPR 2025, section 3.2): the softmax over the
    cosines of the most similar ones weighs them.

    Args:
        classes: (C-1, J) unit rows.
        descriptions: (A, J), or their cluster centres.
        share: Of the descriptions that take part; the least similar do not.
        weight: Of their mean, beside the class's own feature.

    Returns:
        (C-1, J) unit rows.
    """
    cosine = classes @ descriptions.T  # (C-1, A)
    left_out = min(int((1 - share) * len(descriptions)), len(descriptions) - 1)
    if left_out:
        least = cosine.topk(left_out, dim=1, largest=False).indices
        cosine = cosine.scatter(1, least, -torch.inf)
    mean = cosine.softmax(dim=1) @ descriptions
    return F.normalize(classes + weight * mean, dim=-1)


def cluster(rows: Tensor, count: int) -> Tensor:
    """Centres (count, J) of k-means on (A, J), always the same; the rows where there are no more.

    Raises:
        InputError: SciPy, which finds them, is not installed.
    """
    if count >= len(rows):
        return rows
    try:
        from scipy.cluster.vq import kmeans2
    except ImportError:
        raise InputError(
            "clip.description_clusters needs SciPy, not installed here; "
            'pip install "weclip[prepare]", or set it to null'
        ) from None
    centres, _ = kmeans2(rows.double().numpy(), count, minit="++", seed=0)
    return torch.from_numpy(centres).to(rows.dtype)
