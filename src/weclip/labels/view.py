"""What the frozen encoders see of a batch: computed when a part first asks for it, then kept.

Stage 3. Parts say in `reads` which of these they ask for (`parts.READABLE`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip import parts
from weclip.backbones.clip.dense_embedding import class_token, self_self_tokens
from weclip.backbones.clip.image_encoder import ClipImageEncoder, ImageFeatures
from weclip.backbones.clip.last_block import LastBlock
from weclip.backbones.clip.text_features import TextFeatures, text_probabilities
from weclip.backbones.guide import Guide
from weclip.labels.banks.embedded import Embedded, Embedder
from weclip.labels.banks.memory import Memory
from weclip.labels.spreading import patch_attention
from weclip.system.errors import InputError

Provider = Callable[[Tensor], Any]
"""RGB (B, 3, H, W) in 0..255 -> a `Guide`, or regions (B, H, W) int64 with a number for each."""


@dataclass(frozen=True)
class Seen:
    """A view whose blocks 1..L-1 have run, as tensors alone; attributes as in `View`."""

    rgb: Tensor
    normalised: Tensor
    features: ImageFeatures
    formed: int
    skipped: int


@dataclass
class View:
    """A batch as the frozen encoders see it.

    Attributes:
        encoder: Frozen CLIP image encoder.
        rgb: (B, 3, H, W), RGB in 0..255, any type.
        normalised: The same as the encoder expects it.
        texts: Text features of the classes and background words.
        formed: How many attention maps before block L's are formed while the blocks run; others
            are worked out from the tokens when a part asks for them.
        providers: What else there is, of `parts.PROVIDED`.
        skipped: How many blocks before block L it leaves out; WeCLIP+ as released leaves out one.
        encode: Runs blocks 1..L-1 in the encoder's place, such as from a graph; None: it does.
        embedder: What has the embedding that parts read; None: that of their own blocks.
        memory: What lends its texts to alike regions; None: nothing does.
        digest: `digest_of` the one image that this is of, whose own rows it does not get back.
    """

    encoder: ClipImageEncoder
    rgb: Tensor
    normalised: Tensor
    texts: TextFeatures
    formed: int = 0
    providers: Mapping[str, Provider] = field(default_factory=dict)
    skipped: int = 0
    encode: Callable[[Tensor, int], ImageFeatures] | None = None
    embedder: Embedder | None = None
    memory: Memory | None = None
    digest: bytes | None = None

    def __post_init__(self) -> None:
        device = self.normalised.device.type
        enabled = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if enabled else None
        # What a part asks for does not depend on the precision in which the part runs.
        self._precision: dict[str, Any] = {"dtype": dtype, "enabled": enabled}
        self._second_paths: dict[int, Tensor] = {}
        self._embeddings: dict[int, Embedded] = {}

    def precision(self) -> torch.autocast:
        """The precision in which the encoder runs; parts run in float32, unless they enter this."""
        return torch.autocast(self.normalised.device.type, **self._precision)

    def of_image(self, index: int) -> "View":
        """The view of one image, for which blocks 1..L-1 run together with the others."""
        part = slice(index, index + 1)
        one = replace(self, rgb=self.rgb[part], normalised=self.normalised[part])
        one._precision = self._precision
        one.features = self.features.of_image(index)
        for name in ("guide", "regions"):  # those of all images, where they are known
            if name in vars(self):
                setattr(one, name, _of_image(getattr(self, name), index))
        return one

    def backward_precision(self) -> torch.autocast:
        """That of its gradients: float32 where fp16, which ends at 6e-8, would make them 0."""
        lower = self._precision["enabled"] and self._precision["dtype"] != torch.float16
        return torch.autocast(
            self.normalised.device.type, dtype=self._precision["dtype"], enabled=lower
        )

    @cached_property
    def features(self) -> ImageFeatures:
        """Blocks 1..L-1."""
        with self.precision():
            features: ImageFeatures = (self.encode or self.encoder)(self.normalised, self.formed)
        return features

    def seen(self) -> Seen:
        """Its tensors."""
        return Seen(self.rgb, self.normalised, self.features, self.formed, self.skipped)

    @property
    def tokens(self) -> tuple[Tensor, ...]:
        """L-1 outputs (B, 1+N, D) of blocks 1..L-1, class token first."""
        return self.features.tokens

    @property
    def entering(self) -> tuple[Tensor, ...]:
        """L inputs (B, 1+N, D) of blocks 1..L."""
        with torch.no_grad(), self.precision():
            return (self.encoder.embed(self.normalised)[0], *self.tokens)

    @property
    def patch_grid(self) -> tuple[int, int]:
        """(h, w), with h * w = N."""
        return self.features.patch_grid

    @cached_property
    def last_block(self) -> LastBlock:
        """Block L, the image embedding and its gradients."""
        with self.precision():
            return self.encoder.run_last_block(self.tokens[-1 - self.skipped].float())

    def attention(self, layers: int) -> Tensor:
        """(min(layers, L), B, N, N) of the last blocks between patches, mean of heads."""
        maps = [*self.features.attention, self.last_block.attention]
        first = max(0, self.encoder.depth - layers)
        with self.precision():
            missing = [
                self._attention_of(block) for block in range(first, self.encoder.depth - len(maps))
            ]
        return patch_attention([*missing, *maps], layers)

    @torch.no_grad()
    def _attention_of(self, block: int) -> Tensor:
        """(B, 1+N, 1+N) of a block, counted from 0, that formed none while it ran."""
        entering = self.tokens[block - 1] if block else self.encoder.embed(self.normalised)[0]
        return self.encoder.transformer.blocks[block].with_map(entering)[1]

    @cached_property
    def class_token(self) -> Tensor:
        """(B, 1, D) after block L."""
        with self.precision():
            return class_token(self.encoder, self.tokens[-1])

    def patch_tokens(self, self_self_blocks: int) -> Tensor:
        """(B, N, D) of the second path of `self_self_tokens`, which ends after block L."""
        if self_self_blocks not in self._second_paths:
            with self.precision():
                tokens = self_self_tokens(self.encoder, self.tokens, self_self_blocks)
            self._second_paths[self_self_blocks] = tokens[:, 1:]
        return self._second_paths[self_self_blocks]

    def patch_embedding(self, self_self_blocks: int) -> Tensor:
        """(B, N, J) unit rows of these tokens in the joint space."""
        return self.encoder.to_joint(self.patch_tokens(self_self_blocks))

    def embedding(self, self_self_blocks: int) -> Embedded:
        """Patches that parts compare with texts: of `embedder`, or else after self-self attention.

        Unit rows, unless a memory is mixed in (`remembered`).
        """
        key = self_self_blocks if self.embedder is None else 0
        if key not in self._embeddings:
            if self.embedder is None:
                made = Embedded(self.patch_embedding(self_self_blocks), self.patch_grid)
            else:
                made = self.embedder.embedded(self)
            self._embeddings[key] = self.remembered(made)
        return self._embeddings[key]

    def embedding_on_patches(self, self_self_blocks: int) -> Tensor:
        """(B, N, J) of these on CLIP's own grid; unit rows where they are resized to it."""
        made = self.embedding(self_self_blocks)
        if made.patch_grid == self.patch_grid:
            return made.rows
        return F.normalize(self._on_patches(made.rows, made.patch_grid), dim=-1)

    def remembered(self, made: Embedded) -> Embedded:
        """Patches mixed with what the memory, if any, says of their regions."""
        if self.memory is None:
            return made
        grid = self.guide.patch_grid
        seen = zip(made.rows, self.guide.features.float(), self.regions, strict=True)
        mixed = [
            self.memory.remember(
                rows, made.patch_grid, Guide(guide[None], grid), ids, but=self.digest
            )
            for rows, guide, ids in seen
        ]
        return Embedded(torch.stack(mixed), made.patch_grid)

    @property
    def class_text(self) -> Tensor:
        """(C-1, J) unit rows."""
        return self.texts.classes

    @property
    def background_text(self) -> Tensor:
        """(G, J) unit rows."""
        return self.texts.background

    @property
    def scale(self) -> float:
        """CLIP's temperature."""
        return self.texts.scale

    @cached_property
    def all_texts(self) -> Tensor:
        """(M, J) unit rows, classes first, then background words."""
        return torch.cat([self.class_text, self.background_text])

    def probabilities(self, embedding: Tensor) -> Tensor:
        """Softmax (..., M) over all texts of unit rows (..., J), as `text_probabilities`."""
        return text_probabilities(embedding, self.all_texts, self.scale)

    @cached_property
    def guide(self) -> Guide:
        """Patch features of the second encoder."""
        guide: Guide = self._provided("guide")
        return guide

    @cached_property
    def guide_on_patches(self) -> Tensor:
        """(B, N, D') unit rows, the guide's features on CLIP's own grid."""
        features = F.normalize(self.guide.features.float(), dim=-1)
        return F.normalize(self._on_patches(features, self.guide.patch_grid), dim=-1)

    def _on_patches(self, rows: Tensor, patch_grid: tuple[int, int]) -> Tensor:
        """Rows (B, N', J) of patches of a grid as (B, N, J) of CLIP's own, bilinear."""
        maps = torch.unflatten(rows.transpose(1, 2), 2, patch_grid)
        if patch_grid != self.patch_grid:
            maps = F.interpolate(maps, self.patch_grid, mode="bilinear", align_corners=False)
        return maps.flatten(2).transpose(1, 2)

    @cached_property
    def regions(self) -> Tensor:
        """(B, H, W) int64, the number of each pixel's region."""
        regions: Tensor = self._provided("regions")
        return regions

    def _provided(self, name: str) -> Any:
        if name not in self.providers:
            raise InputError(parts.not_provided("a part", name))
        with self.precision():
            return self.providers[name](self.rgb)


def _of_image(whole: Guide | Tensor, index: int) -> Guide | Tensor:
    """A guide's features, or region numbers, of one image of a batch."""
    part = slice(index, index + 1)
    if isinstance(whole, Guide):
        return Guide(whole.features[part], whole.patch_grid)
    return whole[part]
