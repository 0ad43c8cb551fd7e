"""Windows: where they lie, what is added beside them, and what is averaged over them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.methods.tiny_weclip import JOINT, PATCH, clip_state, dino_encoder

from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD, build_image_encoder
from weclip.backbones.imagenet import per_channel
from weclip.backbones.positions import bicubic
from weclip.labels.region_attention.embedding import RegionAttentionSettings
from weclip.labels.region_attention.ids import PADDING
from weclip.methods.windows.averaged import WindowedRegionAttention
from weclip.methods.windows.cutting import WindowSettings, resized_levels, sliding_windows
from weclip.methods.windows.guides import GUIDES, WHOLE, WINDOW, at_pixels, whole_features

CUT = WindowSettings(short_side=None, long_side=2048, side=42, stride=14, multiple=14, ragged=False)
ATTENTION = RegionAttentionSettings(
    temperature=4.0,
    spatial_weight=1.0,
    semantic_weight=0.5,
    merge_regions=False,
    merge_distance=0.2,
    least_id_is_none=False,
)


def a_method(guide=WINDOW, **windows):
    return WindowedRegionAttention(
        image_encoder=build_image_encoder(clip_state()),
        guide_encoder=dino_encoder(),
        guide=guide,
        mean=per_channel(CLIP_MEAN),
        std=per_channel(CLIP_STD),
        attention=ATTENTION,
        windows=replace(CUT, **windows),
        positions=bicubic,
    )


def an_image(height=50, width=70, seed=0):
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    ids = generator.integers(0, 4, (-(-height // 10), -(-width // 10)))
    return image, torch.from_numpy(ids.repeat(10, 0).repeat(10, 1)[:height, :width])


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        (336, [0]),
        (100, [0]),
        (337, [0, 1]),
        (448, [0, 112]),
        (500, [0, 112, 164]),
        (672, [0, 112, 224, 336]),
    ],
)
def test_windows_cover_an_axis(length, starts):
    found = [(y.start, y.stop) for y, _ in sliding_windows((length, 336), 336, 112)]
    assert found == [(start, min(start + 336, length)) for start in starts]


def test_the_size_that_an_image_is_seen_at():
    use = replace(CUT, short_side=336)
    assert use.seen_size((375, 500)) == (336, 448)
    assert use.seen_size((80, 1000)) == (164, 2048)  # the longer side has its limit
    assert use.seen_size((3, 336)) == (18, 2048)
    assert CUT.seen_size((375, 500)) == (375, 500)
    assert replace(CUT, long_side=250).seen_size((375, 500)) == (188, 250)
    assert replace(CUT, long_side=None).seen_size((9, 5000)) == (9, 5000)


def test_levels_are_whole():
    image, _ = an_image()
    same = resized_levels(image, (50, 70)).byte().permute(1, 2, 0)
    assert np.array_equal(same.numpy(), image)
    resized = resized_levels(image, (33, 47))
    assert resized.shape == (3, 33, 47)
    assert torch.equal(resized, resized.round())


@pytest.mark.parametrize(("ragged", "size"), [(True, (42, 28)), (False, (56, 56))])
def test_padding(ragged, size):
    """Of CLIP's mean colour, and a region of its own."""
    image, ids = an_image(37, 25)
    method = a_method(ragged=ragged)
    (part,) = method.cuts(resized_levels(image, (37, 25)), ids)
    assert part.size == size
    gap = (size[0] - 37, size[1] - 25)
    assert part.padding == (gap[1] // 2, gap[1] - gap[1] // 2, gap[0] // 2, gap[0] - gap[0] // 2)
    inside = part.rgb[0][:, part.inner[0], part.inner[1]]
    assert torch.equal(inside.byte().permute(1, 2, 0), torch.from_numpy(image))
    assert torch.equal(part.ids[part.inner], ids)
    beside = part.ids != PADDING
    assert beside.sum() == 37 * 25
    normalised = (part.rgb - method.mean) / method.std
    assert not normalised[0][:, ~beside].any()


def test_padding_is_no_region_of_the_image():
    image, ids = an_image(37, 25)
    (part,) = a_method().cuts(resized_levels(image, (37, 25)), ids + PADDING)
    assert part.ids[0, 0] == PADDING + int(ids.max()) + 1


@pytest.mark.parametrize("guide", GUIDES)
def test_features_are_the_mean_of_windows(guide):
    """Each window is resized to all of its pixels, and each pixel is the mean of its windows."""
    image, ids = an_image()
    method = a_method(guide)
    total, count = torch.zeros(JOINT, 50, 70), torch.zeros(50, 70)
    of_window = method.guide_of(image)
    for part in method.cuts(resized_levels(image, (50, 70)), ids):
        made = method.embedding(part, of_window)
        maps = made.features.T.view(1, JOINT, *made.fine_grid)
        maps = F.interpolate(maps, part.size, mode="bilinear")[0][:, part.inner[0], part.inner[1]]
        total[:, part.window[0], part.window[1]] += maps
        count[part.window] += 1
    assert count.amax() > 1
    torch.testing.assert_close(method.features(image, ids), total / count, rtol=1e-4, atol=1e-4)
    text = F.normalize(torch.randn(5, JOINT, generator=torch.Generator().manual_seed(1)), dim=1)
    cosine = method.cosines(image, ids, text)
    assert cosine.shape == (5, 50, 70)
    assert cosine.abs().amax() <= 1


def test_ids_follow_the_image_that_is_resized():
    image, ids = an_image(30, 40)
    method = a_method(short_side=60)
    assert method.features(image, ids).shape == (JOINT, 60, 80)


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (42, 42), (43, 5)])
@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("ragged", [True, False])
def test_images_of_any_size(size, guide, ragged):
    image, ids = an_image(*size)
    found = a_method(guide, ragged=ragged, multiple=14).features(image, ids)
    assert found.shape == (JOINT, *size)
    assert found.isfinite().all()


def test_the_whole_images_guide_on_a_window():
    """Twice as fine as CLIP's grid; what is padded repeats the border."""
    image, ids = an_image(37, 25)
    method = a_method(WHOLE)
    (part,) = method.cuts(resized_levels(image, (37, 25)), ids)
    found = method.guide_of(image)(part)
    assert found.patch_grid == (2 * (56 // PATCH), 2 * (56 // PATCH))
    features = whole_features(method.guide_encoder, image)
    assert features.patch_grid == (5, 4)  # 37 / 7 and 25 / 7, to the nearest
    pixels = at_pixels(features, (37, 25))
    torch.testing.assert_close(pixels.norm(dim=0), torch.ones(37, 25))
    left, right, top, bottom = part.padding
    padded = F.pad(pixels[None], (left, right, top, bottom), mode="replicate")
    fine = F.normalize(F.interpolate(padded, found.patch_grid, mode="bilinear"), dim=1)
    torch.testing.assert_close(found.features[0], fine[0].flatten(1).T, rtol=1e-4, atol=1e-5)


def test_regions_of_another_size_are_refused():
    image, ids = an_image()
    with pytest.raises(ValueError, match=r"regions of \(40, 70\), but an image of \(50, 70\)"):
        a_method().features(image, ids[:40])
