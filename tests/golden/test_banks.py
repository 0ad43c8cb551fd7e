"""ModuSeg and CorrCLIP's memory against tensors of the published code; see the golden README."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tests.golden.folders import GOLDEN, GOLDEN_PLUS, agree, close, region_cases
from tests.golden.stored_case import StoredCase
from tests.golden.test_corrclip import Case

from weclip.backbones.dino.weights import load_dino
from weclip.labels.banks.feature_bank import FeatureBank
from weclip.labels.banks.memory import Memory, memory_rows, region_keys
from weclip.labels.banks.pseudo_regions import pseudo_regions, purified
from weclip.labels.banks.region_features import aggregated, mask_weights, padded
from weclip.labels.banks.search import nearest
from weclip.labels.banks.voting import count_votes, kept, owners, painted
from weclip.labels.region_attention.ids import nearest_ids
from weclip.methods.windows.guides import WHOLE, WINDOW, whole_features

MODUSEG, CORRCLIP = region_cases("moduseg"), region_cases("corrclip")
pytestmark = pytest.mark.skipif(
    not (MODUSEG and CORRCLIP)
    or not (GOLDEN / "clip.safetensors").exists()
    or not (GOLDEN_PLUS / "dino.safetensors").exists(),
    reason="no golden case of moduseg and corrclip, or no CLIP or DINOv2 that they need; set "
    "WECLIP_GOLDEN_REGIONS, WECLIP_GOLDEN and WECLIP_GOLDEN_PLUS to their folders",
)
CLASSES = 21


@pytest.fixture(scope="module", params=MODUSEG, ids=lambda path: path.name)
def case(request) -> StoredCase:
    return StoredCase(request.param)


@pytest.fixture(scope="module", params=CORRCLIP, ids=lambda path: path.name)
def memory_case(request) -> Case:
    return Case(request.param)


@pytest.fixture(scope="module")
def dino():
    return load_dino(GOLDEN_PLUS / "dino.safetensors").image


def tokens_of(dino, image):
    """(N, J) of an image (H, W, 3), black beside it."""
    rgb = padded(image.permute(2, 0, 1).float(), dino.patch_size)
    return dino(rgb[None]).features[0]


def eroded(case, i):
    """The regions of a training image."""
    use = case.meta
    reach = use["erosions"] * (use["erosion_kernel"] // 2)
    label_map = case.expected[f"train.pseudo_{i}"]
    return pseudo_regions(label_map, reach=reach, least=use["min_area"])


def test_regions_of_pseudo_masks(case):
    for i in range(case.meta["train_images"]):
        expected = case.expected[f"train.eroded_{i}"]
        found = torch.full_like(expected, 255)
        for class_id, mask in eroded(case, i).items():
            found[mask] = class_id
        agree(found, expected)


def test_weights_of_patches(case, dino):
    close(tokens_of(dino, case.expected["train.image_0"]), case.expected["train.tokens_0"])
    found = eroded(case, 0)
    assert list(found) == case.expected["train.weights_classes_0"].tolist()
    close(mask_weights(found.values(), dino.patch_size), case.expected["train.weights_0"])


def test_the_bank(case, dino):
    rows = {}
    for i in range(case.meta["train_images"]):
        found = eroded(case, i)
        tokens = tokens_of(dino, case.expected[f"train.image_{i}"])
        features, usable = aggregated(mask_weights(found.values(), dino.patch_size), tokens)
        assert usable.all()
        rows |= {(c, i): row for c, row in zip(found, features, strict=True)}
    order = sorted(rows)
    assert [list(key) for key in order] == case.expected["bank.rows"].tolist()
    features = torch.stack([rows[key] for key in order])
    close(features, case.expected["bank.features"])
    keep = purified(
        features,
        torch.tensor([c for c, _ in order]),
        share=case.meta["drop_foreground"],
        background=case.meta["drop_background"],
    )
    assert keep.tolist() == case.expected["bank.kept"].bool().tolist()


def test_a_prediction(case, dino):
    expected, use = case.expected, case.meta
    masks = expected["test.masks"].bool()
    area = masks.sum(dim=(1, 2)) >= use["min_area"]
    used = ((expected["test.scores"] >= use["proposal_score"]) & area).nonzero()[:, 0]
    assert used.tolist() == expected["test.used"].tolist()
    masks = masks[used]
    tokens = tokens_of(dino, expected["test.image"])
    close(tokens, expected["test.tokens"])
    weights = mask_weights(masks, dino.patch_size)
    close(weights, expected["test.weights"])
    features, _ = aggregated(weights, tokens)
    close(features, expected["test.features"])
    there = expected["bank.kept"].bool()
    rows, similarity = nearest(
        expected["bank.features"], features, use["neighbours"], left_out=~there
    )
    assert rows.tolist() == expected["test.neighbours"].tolist()
    close(similarity, expected["test.similarity"])
    votes = count_votes(expected["bank.rows"][:, 0].long()[rows], similarity, CLASSES)
    close(votes.counts, expected["test.votes"])
    assert votes.winner.tolist() == expected["test.classes"].tolist()
    close(votes.scores, expected["test.class_scores"])
    stays = kept(masks, votes, most_overlap=use["nms_iou"])
    assert stays.tolist() == expected["test.survives"].bool().tolist()
    scores = painted(votes.shares(), owners(masks, votes, stays))
    agree(scores.argmax(dim=0), expected["test.label_map"])


def test_rows_of_a_memory(memory_case):
    """Keys of the whole image's features; values of the window guide's, without merging."""
    expected, use = memory_case.expected, memory_case.meta
    method = memory_case.method(WINDOW, short_side=use["bank_short_side"])
    method.attention = replace(method.attention, merge_regions=False)
    for i in range(use["bank_images"]):
        ids = expected[f"bank.regions_{i}"].long()
        rgb = expected[f"bank.resized_{i}"].permute(2, 0, 1).float()
        image = expected[f"bank.image_{i}"].numpy()
        features = method.averaged(
            rgb,
            nearest_ids(ids, tuple(rgb.shape[1:])),
            method.guide_of(image),
            lambda made: made.features,
        )
        keys, values = memory_rows(whole_features(method.guide_encoder, image), features, ids)
        own = expected["bank.rows"][:, 0] == i
        close(keys, F.normalize(expected["bank.keys"][own], dim=1))
        close(values, expected["bank.values"][own])


def memory_of(case) -> Memory:
    """The stored bank, in the precision that it is stored in there."""
    expected, use = case.expected, case.meta
    keys, image = F.normalize(expected["bank.keys"], dim=1), expected["bank.rows"][:, 0].int()
    names = [str(i) for i in range(use["bank_images"])]
    bank = FeatureBank(keys, expected["bank.values"], image, names, [b""] * len(names), {}, "")
    return Memory(bank, use["neighbours"], use["own_weight"])


def test_what_a_memory_gives(memory_case):
    expected, use = memory_case.expected, memory_case.meta
    method, (rgb, ids) = memory_case.method(WHOLE), memory_case.seen
    guide = whole_features(method.guide_encoder, memory_case.image)
    present, queries = region_keys(guide, ids)
    close(queries, F.normalize(expected["bank.queries"], dim=1))
    memory = memory_of(memory_case)
    rows, similarity = memory.bank.nearest(queries, use["neighbours"])
    assert rows.tolist() == expected["bank.neighbours"].tolist()
    close(similarity, expected["bank.similarity"])
    support = memory.support(queries, but=None) @ expected["text"].T  # (P, Q)
    close(support, expected["bank.support"])
    own = method.averaged(
        rgb, ids, method.guide_of(memory_case.image), lambda made: made.unit() @ expected["text"].T
    )
    at_pixels = support[torch.searchsorted(present, ids)].permute(2, 0, 1)  # (Q, H, W)
    fused = use["own_weight"] * own + (1 - use["own_weight"]) * at_pixels
    size = tuple(memory_case.ids.shape)
    logits = F.interpolate(fused[None], size, mode="bilinear", align_corners=False)[0]
    close(logits, expected["fused.logits"])
    label = memory_case.label(fused)
    agree(label, expected["fused.prediction"])
    agree(memory_case.corrected(label), expected["fused.corrected"])


def test_a_memory_on_the_grid(memory_case):
    """As a step on patch embeddings: the same mean of cosines, where a patch's region is one."""
    text, method = memory_case.expected["text"], memory_case.method(WHOLE)
    ids = memory_case.seen[1]
    memory = memory_of(memory_case)
    guide = whole_features(method.guide_encoder, memory_case.image)
    grid = tuple(ids.shape)  # a patch is a pixel, so that nothing is painted coarser
    own = torch.rand(ids.numel(), text.shape[1], generator=torch.Generator().manual_seed(0)) - 0.5
    found = memory.remember(own, grid, guide, ids) @ text.T
    present, queries = region_keys(guide, ids)
    support = memory.support(queries, but=None) @ text.T
    row = torch.searchsorted(present, ids.flatten())
    close(found, 0.5 * F.normalize(own, dim=1) @ text.T + 0.5 * support[row])
