"""What the tiny CLIP learns from: no drawing kept for validation, and labels that fit pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from weclip.demo.sprites import CLASS_DRAWINGS, DISTRACTOR_DRAWINGS, seen_drawings


def test_no_drawing_kept_for_validation_is_ever_chosen(tool, tmp_path):
    drawings = tool("demo_drawings")
    kept = {
        code
        for name, codes in CLASS_DRAWINGS.items()
        for code in codes
        if code not in seen_drawings(name)
    }
    more = {code for codes in drawings.MORE_DRAWINGS.values() for code in codes}
    everything = {c for codes in CLASS_DRAWINGS.values() for c in codes} | more
    for code in everything:
        for variant in ("", "-fe0f", "-1f3fb"):
            (tmp_path / f"{code}{variant}.webp").touch()
    rng = np.random.default_rng(0)
    chosen = {
        drawings.choose_file(name, [tmp_path], rng) for _ in range(300) for name in CLASS_DRAWINGS
    }
    assert len({path.parent for path in chosen}) == 2  # both styles
    shown = {path.stem.split("-")[0] for path in chosen}
    assert not shown & kept
    assert shown >= {code for name in CLASS_DRAWINGS for code in seen_drawings(name)}


def test_a_style_that_lacks_a_drawing_falls_back_to_the_demos(tool, tmp_path):
    drawings = tool("demo_drawings")
    rng = np.random.default_rng(0)
    for name, codes in DISTRACTOR_DRAWINGS.items():
        files = [drawings.choose_file(codes, [tmp_path], rng) for _ in range(5)]
        assert {path.stem for path in files} <= set(codes), name


def test_variation_changes_colour_and_proportion_but_not_what_is_opaque(tool):
    drawings = tool("demo_drawings")
    drawing = np.zeros((72, 72, 4), dtype=np.uint8)
    drawing[20:40, 10:60] = (200, 30, 30, 255)
    results = [drawings.vary(drawing, np.random.default_rng(seed)) for seed in range(20)]
    assert all((result[..., 3] > 0).sum() == 20 * 50 for result in results)
    assert len({result.shape for result in results}) > 5
    assert len({tuple(result[result[..., 3] > 0][0]) for result in results}) > 10


def one_object_pool(tool):
    """Scenes with one square of a colour of its own, labelled by its class."""
    captions_of, composition = tool("demo_captions"), tool("demo_composition")
    concepts = len(captions_of.Vocabulary().concepts)
    images = np.full((19, 64, 64, 3), 128, dtype=np.uint8)
    labels = torch.zeros(19, 64, 64, dtype=torch.uint8)
    captions = np.zeros((19, concepts), dtype=bool)
    for index in range(19):
        images[index, 20:40, 20:40] = (13 * index, 255 - 13 * index, 0)
        labels[index, 20:40, 20:40] = index + 1
        captions[index, [index, 19]] = True
    objects = composition.LabelledPool(captions_of.Pool(images, captions), labels)
    bare = np.full((4, 64, 64, 3), 128, dtype=np.uint8)
    words = np.zeros((4, concepts), dtype=bool)
    words[:, 20] = True
    scenery = composition.LabelledPool(
        captions_of.Pool(bare, words), torch.zeros(4, 64, 64, dtype=torch.uint8)
    )
    return composition, objects, scenery


def test_composed_labels_lie_on_the_pixels_of_their_objects(tool):
    composition, objects, scenery = one_object_pool(tool)
    images, labels, captions = composition.compose(
        objects, scenery, 40, 19, np.random.default_rng(0)
    )
    red = (images[:, 0] * 255 / 13).round()
    agree = torch.where(images[:, 2] > 0.25, labels == 0, red + 1 == labels)
    assert agree.float().mean() > 0.97  # all but blended edges
    counts = captions[:, :19].sum(1)
    assert counts.min() == 0
    assert counts.max() >= 3
    for label, caption in zip(labels, captions, strict=True):
        large = label.flatten().bincount(minlength=20)[1:] >= 0.01 * label.numel()
        assert torch.equal(caption[:19], large)
    assert captions[:20, 20].all()
    assert captions[20:, 19].all()


def test_shares_of_patches_sum_to_one(tool):
    composition, objects, _ = one_object_pool(tool)
    shares = composition.patch_shares(objects.labels, 8, 20)
    assert shares.shape == (19, 64, 20)
    torch.testing.assert_close(shares.sum(2), torch.ones(19, 64))
    assert shares[4, :, 5].sum() == pytest.approx(400 / 64)


def test_scenes_of_one_object_and_of_none(tool):
    captions = tool("demo_captions")
    for show, counts in (("object", {0, 1}), ("scenery", {0}), ("any", {0, 1, 2, 3})):
        scenes = [
            captions.training_scene(np.random.default_rng(seed), 128, show, [])
            for seed in range(20)
        ]
        assert {len(scene.tags) for scene in scenes} <= counts
        assert all(Image.fromarray(scene.image).size == (128, 128) for scene in scenes)
