"""From cosines with words to scores of classes, each of which may have many words.

Stage 3. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025, as in its released code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Words:
    """What patches are compared with: a class may have many words.

    Attributes:
        text: (Q, J) unit rows.
        classes: Class id of each of the Q words; 0 is background. Every class up to the highest has
            a word.
        scale: Factor of the cosines before the softmax over words.
    """

    text: Tensor
    classes: tuple[int, ...]
    scale: float


def word_scores(
    cosine: Tensor,
    class_of_word: Sequence[int],
    *,
    scale: float,
    allowed: Sequence[int] | None = None,
) -> Tensor:
    """Softmax over all words; a class's score is the maximum over its words.

    Args:
        cosine: (Q, ...) of Q words.
        class_of_word: (Q,) class ids from 0 on; each of the C classes has a word.
        scale: Factor of the cosines.
        allowed: Class ids that may be there; words of all others are left out of the softmax.
            None: all.

    Returns:
        (C, ...) in [0, 1]; 0 for a class that is not allowed.
    """
    logits = scale * cosine
    words = torch.tensor(class_of_word, device=cosine.device)
    if allowed is not None:
        out = ~torch.isin(words, torch.tensor(sorted(allowed), device=cosine.device))
        logits[out] = -torch.inf
    probability = logits.softmax(dim=0)
    classes = range(max(class_of_word) + 1)
    return torch.stack([probability[words == each].amax(dim=0) for each in classes])
