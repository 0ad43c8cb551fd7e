"""CorrCLIP against tensors of the published code; see the README of the golden folder."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.golden.folders import GOLDEN, GOLDEN_PLUS, agree, clip_state, close, region_cases
from tests.golden.stored_case import StoredCase

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.text_encoder import build_text_encoder
from weclip.backbones.clip.text_features import mean_unit
from weclip.backbones.clip.tokenizer import imagenet_templates
from weclip.backbones.dino.weights import load_dino
from weclip.backbones.positions import bicubic_by_count
from weclip.build.windows import RELEASED_MEAN, RELEASED_STD
from weclip.data.batch import TaggedImage
from weclip.inference.label_masks import BackgroundUnder, Scores, label_mask
from weclip.labels.region_attention.branches import spatial_blocks
from weclip.labels.region_attention.embedding import RegionAttentionSettings
from weclip.labels.region_attention.ids import nearest_ids
from weclip.labels.region_attention.words import Words, word_scores
from weclip.labels.regions.regions import Regions
from weclip.labels.regions.vote import vote
from weclip.methods.windows.averaged import WindowedRegionAttention
from weclip.methods.windows.cutting import WindowSettings, resized_levels
from weclip.methods.windows.guides import WHOLE, WINDOW, whole_features
from weclip.methods.windows.scores import WordScores
from weclip.tasks.label.windowed import Windowed
from weclip.tasks.regions.reading import RegionReader

CASES = region_cases("corrclip")

pytestmark = pytest.mark.skipif(
    not CASES
    or not (GOLDEN / "clip.safetensors").exists()
    or not (GOLDEN_PLUS / "dino.safetensors").exists(),
    reason="no golden case of corrclip, or no CLIP or DINOv2 that it needs; set "
    "WECLIP_GOLDEN_REGIONS, WECLIP_GOLDEN and WECLIP_GOLDEN_PLUS to their folders",
)


@dataclass(frozen=True)
class Case(StoredCase):
    @cached_property
    def words(self) -> Words:
        classes = tuple(i for i, words in enumerate(self.meta["names"]) for _ in words)
        return Words(self.expected["text"], classes, self.meta["logit_scale"])

    @cached_property
    def encoders(self):
        dino = load_dino(GOLDEN_PLUS / "dino.safetensors").image
        return build_image_encoder(clip_state()), dino

    def method(self, guide: str, **windows) -> WindowedRegionAttention:
        """CorrCLIP as released, with the constants of this case."""
        clip, dino = self.encoders
        cut = WindowSettings(
            short_side=self.meta["short_side"],
            long_side=2048,
            side=self.meta["window"],
            stride=self.meta["stride"],
            multiple=self.meta["pad_multiple"],
            ragged=True,
        )
        attention = RegionAttentionSettings(
            temperature=self.meta["temperature"],
            spatial_weight=self.meta["spatial_weight"],
            semantic_weight=self.meta["semantic_weight"],
            merge_regions=guide == WINDOW,
            merge_distance=self.meta["merge_distance"],
            least_id_is_none=True,
        )
        return WindowedRegionAttention(
            image_encoder=clip,
            guide_encoder=dino,
            guide=guide,
            mean=torch.tensor(RELEASED_MEAN).view(3, 1, 1),
            std=torch.tensor(RELEASED_STD).view(3, 1, 1),
            attention=attention,
            windows=replace(cut, **windows),
            positions=bicubic_by_count,
        )

    @cached_property
    def image(self):
        return self.expected["original"].numpy()

    @cached_property
    def ids(self):
        return self.expected["regions"].long()

    @cached_property
    def seen(self):
        """What OpenCV made of the image, and ids of its size."""
        rgb = self.expected["resized"].permute(2, 0, 1).float()
        return rgb, nearest_ids(self.ids, tuple(rgb.shape[1:]))

    def shown(self, method):
        """The window whose tensors are stored."""
        cuts = list(method.cuts(*self.seen))
        found = [[y.start, x.start, y.stop, x.stop] for y, x in (part.window for part in cuts)]
        assert found == self.meta["windows"]
        return cuts[self.meta["shown_window"]]

    def label(self, cosine, tags=None, regions=None):
        """What `weclip label` makes of cosines; without tags, background under the threshold."""
        known = range(len(self.meta["names"]) - 1) if tags is None else tags
        ids = np.array([0, *(tag + 1 for tag in known)], np.uint8)
        pixels = WordScores(cosine, self.words, ids, tuple(self.ids.shape))
        if tags is None:
            pixels = BackgroundUnder(pixels, self.meta["threshold"])
        mask = label_mask(self.image, Scores(pixels, None, regions), None, 0.0)
        return torch.from_numpy(mask.label_map)

    def corrected(self, label):
        return vote(label, self.ids, least_id_is_none=True)

    def task(self, method):
        """What `weclip label` scores images with."""
        reader = RegionReader({}, source=lambda pixels: Regions(self.ids.int().numpy()))
        return Windowed(method, self.words, reader, False, "float32", votes=True)


@pytest.fixture(scope="module", params=CASES, ids=lambda path: path.name)
def case(request) -> Case:
    return Case(request.param)


def test_prompts(case):
    encoder = build_text_encoder(clip_state())
    words = [word for words in case.meta["names"] for word in words]
    rows = [
        mean_unit(encoder.encode([template.format(word) for template in imagenet_templates()]))
        for word in words
    ]
    close(torch.stack(rows), case.expected["prompt_features"])


def test_the_image_resized_by_us(case):
    ours = resized_levels(case.image, case.method(WINDOW).windows.seen_size(case.image.shape[:2]))
    difference = (ours - case.seen[0]).abs()
    assert difference.amax() <= 1
    assert difference.mean() < 0.2


def test_spatial_blocks(case):
    inputs = spatial_blocks(case.encoders[0].depth)
    assert [i - 1 for i in range(inputs.start, inputs.stop)] == case.meta["spatial_blocks"]


@pytest.mark.parametrize(("key", "guide"), [("window", WINDOW), ("whole", WHOLE)])
def test_a_window(case, key, guide):
    method, expected = case.method(guide), case.expected
    part, of_window = case.shown(method), method.guide_of(case.image)
    seen = of_window(part)
    close(seen.features[0], expected[f"{key}.guide"])
    found = method.embedding(part, of_window)
    fine = expected[f"{key}.regions_fine"].long()
    assert torch.equal(nearest_ids(part.ids, seen.patch_grid), fine)
    merged = expected.get(f"{key}.merged_fine", fine)
    coarse = expected.get(f"{key}.merged_coarse", expected.get(f"{key}.regions_coarse"))
    assert torch.equal(found.ids, merged.long())
    assert torch.equal(found.coarse_ids, coarse.long())
    agree(found.scope, expected[f"{key}.scope"])
    close(found.attention, expected[f"{key}.attention"])
    for branch, name in zip(found.branches, ("main", "spatial", "semantic"), strict=True):
        close(branch, expected[f"{key}.{name}"])
    close(found.features, expected[f"{key}.features"])


def test_merging_on_the_whole_images_guide(case):
    method = case.method(WHOLE)
    method.attention = replace(method.attention, merge_regions=True)
    found = method.embedding(case.shown(method), method.guide_of(case.image))
    assert torch.equal(found.ids, case.expected["whole_merged.merged_fine"].long())
    close(found.features, case.expected["whole_merged.features"])


def test_whole_tokens(case):
    guide = whole_features(case.encoders[1], case.image)
    expected = case.expected["whole.tokens"]
    assert guide.patch_grid == tuple(expected.shape[1:])
    close(guide.features[0].T.unflatten(1, guide.patch_grid), expected)


@pytest.mark.parametrize(("key", "guide"), [("window", WINDOW), ("whole", WHOLE)])
def test_labels_without_tags(case, key, guide):
    method, expected, text = case.method(guide), case.expected, case.expected["text"]
    cosine = method.averaged(
        *case.seen, method.guide_of(case.image), lambda made: made.unit() @ text.T
    )
    size = tuple(case.ids.shape)
    logits = F.interpolate(cosine[None], size, mode="bilinear", align_corners=False)[0]
    close(logits, expected[f"{key}.logits"])
    label = case.label(cosine)
    agree(label, expected[f"{key}.prediction"])
    agree(case.corrected(label), expected[f"{key}.corrected"])


def test_labels_with_tags(case):
    expected, words, tags = case.expected, case.words, case.meta["tags"]
    allowed = [0, *(tag + 1 for tag in tags)]
    cosine = expected["window.logits"]
    scores = word_scores(cosine, words.classes, scale=words.scale, allowed=allowed)
    close(scores, expected["window.probability_tags"])
    label = case.label(cosine, tags)
    agree(label, expected["window.prediction_tags"])
    agree(case.corrected(label), expected["window.corrected_tags"])


def test_tags_at_the_images_own_size(case):
    """The pseudo-masks of ModuSeg."""
    tagged = TaggedImage("a", Path("a.png"), tuple(case.meta["tags"]))
    task = case.task(case.method(WINDOW, short_side=None))
    (scores,) = task([(tagged, case.image)])
    label = label_mask(case.image, scores, None, 0.0).label_map
    agree(torch.from_numpy(label), case.expected["native.corrected_tags"])


def test_values_of_a_bank(case):
    """Regions' mean features of the window guide, without merging."""
    method = case.method(WINDOW, short_side=case.meta["bank_short_side"])
    method.attention = replace(method.attention, merge_regions=False)
    rows = case.expected["bank.rows"].tolist()
    for i in range(case.meta["bank_images"]):
        ids = case.expected[f"bank.regions_{i}"].long()
        rgb = case.expected[f"bank.resized_{i}"].permute(2, 0, 1).float()
        seen = nearest_ids(ids, tuple(rgb.shape[1:]))
        guide = method.guide_of(case.expected[f"bank.image_{i}"].numpy())
        features = method.averaged(rgb, seen, guide, lambda made: made.features)
        features = F.interpolate(features[None], tuple(ids.shape), mode="bilinear")[0]
        for row, (image, region) in enumerate(rows):
            if image == i:
                value = F.normalize(features[:, ids == region].mean(dim=1), dim=0)
                close(value, case.expected["bank.values"][row])
