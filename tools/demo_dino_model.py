"""The tiny DINO of the demo while it trains: the encoder with gradients, heads and losses."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from demo_dino_views import PATCH, Views
from weclip.backbones.dino.image_encoder import DinoImageEncoder

NATIVE = 16
"""Patches per side of a scene of the demo."""

HEAT = 0.1
"""Temperature of the contrast."""

SHARES = (0.6, 1.0)
"""Of the patches of a view that the student sees; one of these a step."""

ROWS = 192
"""Patches of half a batch that the losses look at, rather those with detail."""

ANGLES, WINDOW = 8, 3
"""Directions of edges that a patch is to tell, of all patches in a window of this side."""

QUEUE = 1024
"""Tokens of each kind, of earlier batches, to be told from."""


class Head(nn.Sequential):
    """An MLP to the space where views are compared."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, 384), nn.GELU(), nn.Linear(384, 128))

    def forward(self, x: Tensor) -> Tensor:
        """Unit vectors (..., 128) of tokens (..., D)."""
        return F.normalize(super().forward(x).float(), dim=-1)


class TinyDino(nn.Module):
    """Encoder and heads; the mask token is there for the layout only."""

    def __init__(self, width: int = 192, blocks: int = 4) -> None:
        super().__init__()
        self.encoder = DinoImageEncoder(
            width=width, blocks=blocks, patch_size=PATCH, native_grid=NATIVE
        )
        self.encoder.requires_grad_(True)
        with torch.no_grad():
            self.encoder.positional_embedding[1:] = waves(width)
        for block in self.encoder.transformer.blocks:
            nn.init.normal_(block.mlp.c_fc.weight, std=0.04)
            nn.init.normal_(block.mlp.c_proj.weight, std=0.02)
            nn.init.normal_(block.attn.out_proj.weight, std=0.02)
        self.blind()
        self.mask_token = nn.Parameter(0.02 * torch.randn(width))
        self.class_head = Head(width)
        self.patch_head = Head(width)
        self.outline_head = nn.Linear(width, ANGLES * WINDOW**2)

    def forward(self, images: Tensor, corner: tuple[int, int], visible: Tensor) -> Tensor:
        """Normed tokens (B, 1+n, D) of the class token and of some patches.

        Args:
            images: (B, 3, S, S), RGB in 0..1.
            corner: Row and column in the native grid whose positions the first patch takes.
            visible: (B, n) indices of the patches that are seen at all.
        """
        encoder = self.encoder
        x = encoder.patch_embedding((255 * images - encoder.mean) / encoder.std)
        rows, columns = x.shape[2:]
        stored = encoder.positional_embedding
        grid = stored[1:].view(NATIVE, NATIVE, -1)
        grid = grid[corner[0] : corner[0] + rows, corner[1] : corner[1] + columns]
        x = x.flatten(2).transpose(1, 2) + grid.flatten(0, 1)
        x = take(x, visible)
        first = (encoder.class_token + stored[0]).expand(len(x), 1, -1)
        with sdpa_kernel(SDPBackend.MATH):
            out: Tensor = encoder.norm(encoder.transformer(torch.cat([first, x], dim=1)))
        return out

    @torch.no_grad()
    def blind(self) -> None:
        """Make the patch embedding blind to colour and to the brightness of a patch."""
        weight = self.encoder.patch_embedding.weight
        grey = weight.mean(1, keepdim=True)
        weight.copy_((grey - grey.mean((2, 3), keepdim=True)).expand_as(weight))

    def export(self) -> dict[str, Tensor]:
        """The encoder in the hub's names, float16, with factors of LayerScale that are 1."""
        own = self.encoder.state_dict()
        width = self.encoder.width
        state = {
            "cls_token": own["class_token"].view(1, 1, width),
            "pos_embed": own["positional_embedding"][None],
            "mask_token": self.mask_token.view(1, width),
        }
        for kind in ("weight", "bias"):
            state[f"patch_embed.proj.{kind}"] = own[f"patch_embedding.{kind}"]
            state[f"norm.{kind}"] = own[f"norm.{kind}"]
        for index in range(len(self.encoder.transformer.blocks)):
            for theirs, ours in BLOCK_NAMES.items():
                state[f"blocks.{index}.{theirs}"] = own[f"transformer.resblocks.{index}.{ours}"]
            for scale in ("ls1", "ls2"):
                state[f"blocks.{index}.{scale}.gamma"] = torch.ones(width)
        return {name: value.detach().half().contiguous() for name, value in state.items()}


def waves(width: int) -> Tensor:
    """Sines and cosines (N, D) of each patch's row and column, to begin positions with."""
    steps = torch.arange(NATIVE)[:, None] * 2 * math.pi / NATIVE
    angles = steps * torch.logspace(-1, math.log10(NATIVE / 4), width // 4)  # (NATIVE, D/4)
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = line[:, None].expand(-1, NATIVE, -1)
    return 0.3 * torch.cat([rows, rows.transpose(0, 1)], dim=2).flatten(0, 1)


BLOCK_NAMES = {
    f"{theirs}{kind}": f"{ours}{kind}"
    for kind in ("weight", "bias")
    for theirs, ours in (
        ("norm1.", "ln_1."),
        ("norm2.", "ln_2."),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj.", "attn.out_proj."),
        ("mlp.fc1.", "mlp.c_fc."),
        ("mlp.fc2.", "mlp.c_proj."),
    )
}
"""The hub's names of a block's tensors, and ours."""


def take(tokens: Tensor, chosen: Tensor) -> Tensor:
    """Those of tokens (B, N, D) whose indices are `chosen` (B, n)."""
    return tokens.gather(1, chosen[..., None].expand(-1, -1, tokens.shape[2]))


def choose_visible(count: int, side: int, share: float) -> Tensor:
    """Indices (B, n) of a share of side * side patches, in lumps."""
    lumps = F.interpolate(torch.rand(count, 1, 4, 4), size=side, mode="bilinear")
    noise = lumps.flatten(1) + 0.3 * torch.rand(count, side * side)
    return noise.topk(round(share * side * side), dim=1).indices


def matching_tokens(tokens: Tensor, seen: Views, other: Views) -> tuple[Tensor, Tensor]:
    """What the other view says where the patches of a view are.

    Args:
        tokens: (B, N, J) of the other view.
        seen: The view whose patches are asked for.
        other: The view that the tokens are of.

    Returns:
        Unit vectors (B, N, J), and (B, N) bool, whether the other view shows that place.
    """
    count, places, _ = tokens.shape
    side = round(places**0.5)
    relative = torch.linalg.inv(other.place) @ seen.place
    grid = F.affine_grid(relative[:, :2], [count, 1, side, side], align_corners=False)
    maps = tokens.transpose(1, 2).reshape(count, -1, side, side)
    found = F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    inside = (grid.abs() < 1).all(-1).flatten(1)
    return F.normalize(found.flatten(2).transpose(1, 2), dim=-1), inside


def contrast(own: Tensor, theirs: Tensor, others: Tensor, ignored: Tensor) -> Tensor:
    """Mean cross-entropy of finding one's own row among all.

    Args:
        own: (M, 128) unit vectors of the student.
        theirs: (M, 128) of the teacher, row by row of the same places.
        others: (Q, 128) of the teacher, of other pictures.
        ignored: (M, M) bool, rows that count neither as the same nor as another.
    """
    with torch.autocast("cpu", enabled=False):
        scores = (own @ theirs.T / HEAT).masked_fill(ignored, -1e4)
        scores = torch.cat([scores, own @ others.T / HEAT], dim=1)
        return F.cross_entropy(scores, torch.arange(len(own)))


def outlines(images: Tensor) -> Tensor:
    """Which way the edges run around each patch: histograms of oriented gradients.

    Args:
        images: (B, 3, S, S), RGB in 0..1.

    Returns:
        (B, N, ANGLES * WINDOW**2), strength of the edges by angle in each patch of a window, over
        the mean strength of the neighbourhood.
    """
    x = F.pad(F.avg_pool2d(images, 3, 1), (2, 2, 2, 2), mode="replicate")
    across = x[:, :, 1:-1, 2:] - x[:, :, 1:-1, :-2]
    down = x[:, :, 2:, 1:-1] - x[:, :, :-2, 1:-1]
    strength, channel = (across.square() + down.square()).max(1, keepdim=True)
    angle = torch.atan2(down.gather(1, channel), across.gather(1, channel))
    strength = (strength.sqrt() - 0.06).clamp(0, 0.4)
    step = math.pi / ANGLES
    centres = step * torch.arange(ANGLES).view(1, -1, 1, 1)
    off = ((angle - centres + math.pi / 2) % math.pi - math.pi / 2).abs() / step
    cells = F.avg_pool2d(strength * (1 - off).clamp_min(0), PATCH)
    around = F.avg_pool2d(cells.sum(1, keepdim=True), 5, 1, 2)
    return F.unfold(cells / (around + 0.02), WINDOW, padding=WINDOW // 2).transpose(1, 2)


def choose_rows(detail: Tensor, inside: Tensor) -> Tensor:
    """Indices (M,) of patches (B, n) for the losses: `inside`, and rather those with detail."""
    weights = (detail / 0.1).clamp(0.05, 1).square() * inside
    rows = min(ROWS, int(inside.sum()))
    return weights.flatten().multinomial(rows)


def outline_loss(told: Tensor, drawn: Tensor) -> Tensor:
    """Squared error of what patches (B, n, J) tell of edges, against its variance."""
    return (told.float() - drawn).square().mean() / drawn.var()


def near(rows: Tensor, visible: Tensor, side: int) -> Tensor:
    """(M, M) bool, whether two of the chosen patches lie side by side in one picture."""
    picture = rows // visible.shape[1]
    patch = visible.flatten()[rows]
    across = ((patch % side)[:, None] - patch % side).abs()
    down = ((patch // side)[:, None] - patch // side).abs()
    close = (across <= 1) & (down <= 1) & (picture[:, None] == picture)
    return close.fill_diagonal_(False)


def losses(
    student: TinyDino, teacher: TinyDino, views: tuple[Views, Views], queues: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The student sees a part of one view, and recognises the teacher's tokens of the other.

    Returns:
        The losses "class" (of the class tokens), "patch" (where both views look) and "outline"
        (of the edges in the picture's own colours), and the teacher's unit vectors (M, 128) of the
        first two.
    """
    seen, other = views
    count, side = len(seen.images), seen.images.shape[-1] // PATCH
    corners = torch.randint(NATIVE - side + 1, (4,)).tolist()
    share = SHARES[int(torch.randint(len(SHARES), ()))]
    visible = choose_visible(count, side, share)
    with torch.no_grad():
        everything = torch.arange(side * side).expand(count, -1)
        tokens = teacher(other.images, (corners[0], corners[1]), everything)
        of_class = teacher.class_head(tokens[:, 0])
        matched, inside = matching_tokens(teacher.patch_head(tokens[:, 1:]), seen, other)
        rows = choose_rows(seen.detail.gather(1, visible), inside.gather(1, visible))
        of_patches = take(matched, visible).flatten(0, 1)[rows]
        drawn = outlines(seen.truth)
    own = student(seen.images, (corners[2], corners[3]), visible)
    own_class = student.class_head(own[:, 0])
    own_patches = student.patch_head(own[:, 1:].flatten(0, 1)[rows])
    none = torch.zeros(count, count, dtype=torch.bool)
    close = near(rows, visible, side)
    terms = {
        "class": contrast(own_class, of_class, queues["class"], none),
        "patch": contrast(own_patches, of_patches, queues["patch"], close),
        "outline": outline_loss(student.outline_head(own[:, 1:]), take(drawn, visible)),
    }
    return terms, {"class": of_class, "patch": of_patches}
