import numpy as np
import pytest
import torch
from tests.literal import pseudo_label as literal

from weclip.labels.pixel_refine import ParSettings
from weclip.labels.pseudo_label import best_of, label_map_of, make_pseudo_label, with_background
from weclip.labels.tag_slots import pack_tags

PAR = ParSettings(
    iterations=20,
    dilations=(1, 2, 4, 8, 12, 24),
    colour_width=0.3,
    position_width=0.3,
    position_weight=0.01,
)
TAGS = [[1], [], [0, 2, 3, 4], [0, 4]]


def slots_of(tags):
    rows = torch.zeros(len(tags), 5, dtype=torch.bool)
    for row, indices in zip(rows, tags, strict=True):
        row[indices] = True
    return pack_tags(rows)


def make(cam, tags, image, size=None, power=1.0):
    return make_pseudo_label(
        cam,
        slots_of(tags),
        image,
        size=size or tuple(image.shape[-2:]),
        eps=1e-7,
        background_power=power,
        par=PAR,
    )


def random_inputs(tags, grid, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count = max(1, *(len(t) for t in tags))
    cam = torch.rand(len(tags), count, *grid, generator=generator)
    image = torch.randint(0, 256, (len(tags), 3, *size), generator=generator).float()
    return cam, image


@pytest.mark.parametrize(("grid", "size"), [((2, 3), (8, 9)), ((4, 2), (6, 11)), ((1, 1), (4, 4))])
def test_against_literal(grid, size):
    cam, image = random_inputs(TAGS, grid, size)
    ours = make(cam, TAGS, image)
    for i, tags in enumerate(TAGS):
        count = len(tags)
        maps, scores, label_map = literal.pseudo_label(
            cam[i, :count].double().numpy(), tags, image[i].double().numpy()
        )
        np.testing.assert_allclose(ours.cam[i, :count].numpy(), maps, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            ours.scores[i, : 1 + count].numpy(), scores, rtol=1e-4, atol=1e-5
        )
        assert (ours.scores[i, 1 + count :] == -torch.inf).all()
        certain = np.ptp(np.sort(scores, 0)[-2:], 0) > 1e-4 if count else np.ones(size, bool)
        assert (ours.label_map[i].numpy() == label_map)[certain].all()
    assert ours.scores.dtype == torch.float32
    assert ours.label_map.dtype == torch.int64


def test_batch_equals_single_images():
    cam, image = random_inputs(TAGS, (3, 4), (12, 16))
    together = make(cam, TAGS, image)
    for i, tags in enumerate(TAGS):
        count = max(1, len(tags))
        alone = make(cam[i : i + 1, :count], [tags], image[i : i + 1])
        torch.testing.assert_close(together.scores[i, : 1 + count], alone.scores[0])
        assert torch.equal(together.label_map[i], alone.label_map[0])


def test_background_power_enlarges_objects():
    cam, image = random_inputs([[1]], (4, 4), (16, 16))
    sizes = [int((make(cam, [[1]], image, power=p).label_map > 0).sum()) for p in (0.5, 1, 2, 4)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    background = with_background(torch.tensor([0.75]).view(1, 1, 1, 1), 3.0)[0, 0]
    assert background.item() == pytest.approx(0.25**3)


def test_image_without_tags_is_background():
    cam, image = random_inputs([[], [2]], (2, 2), (8, 8))
    label_map = make(cam, [[], [2]], image).label_map
    assert (label_map[0] == 0).all()
    assert set(label_map[1].unique().tolist()) <= {0, 3}


def test_map_that_never_varies_is_background():
    cam, image = torch.full((1, 1, 2, 2), 0.7), torch.rand(1, 3, 8, 8)
    assert (make(cam, [[0]], image).label_map == 0).all()


def test_size_may_differ_from_the_image():
    cam, image = random_inputs([[1]], (2, 3), (16, 24))
    label = make(cam, [[1]], image, size=(10, 7))
    assert label.cam.shape == (1, 1, 10, 7)
    assert label.label_map.shape == (1, 10, 7)


def test_label_map_of_maps_slots_to_class_ids():
    slots = slots_of([[1, 4]])
    scores = torch.tensor([[[[1.0, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]]])
    assert label_map_of(scores, slots.index).tolist() == [[[0, 2, 5]]]


def test_bf16_does_not_crash():
    cam, image = random_inputs([[1, 2]], (2, 3), (8, 9))
    label = make(cam.bfloat16(), [[1, 2]], image)
    assert label.label_map.max() <= 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("dim", [0, 1])
def test_best_is_what_argmax_finds(dtype, dim):
    generator = torch.Generator().manual_seed(3)
    scores = torch.randint(0, 3, (4, 5, 30, 31), generator=generator).to(dtype)  # many are equal
    scores[scores == 0] = -torch.inf
    scores[torch.rand(scores.shape, generator=generator) < 0.05] = torch.nan
    assert torch.equal(best_of(scores, dim), scores.argmax(dim))
