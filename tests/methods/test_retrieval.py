"""Retrieval: what the contract asks of methods that are trained does not fit one without steps.

So what remains of it is asked here: shapes, batches, saved and loaded, frozen, tags.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.configs import new_config
from tests.methods.tiny_weclip import CLASSES, dino_encoder, make_batch

from weclip.build.method import compose, load_trained
from weclip.inference.large import tiles
from weclip.inference.predictor import Predictor
from weclip.labels.regions.regions import Proposals, Regions
from weclip.methods.labelling import LABEL_KINDS
from weclip.methods.retrieval import Retrieval
from weclip.system.errors import InputError, RunError


def quarters(image: np.ndarray, guide: Callable | None) -> Regions:
    """Four regions, and a corner that is in none."""
    height, width = image.shape[:2]
    ids = np.ones((height, width), np.int32)
    ids[height // 2 :] += 1
    ids[:, width // 2 :] += 2
    ids[: height // 4, : width // 4] = 0
    return Regions(ids)


def tiny_retrieval(rows: int = 30, **settings: float) -> Retrieval:
    """Retrieval on a random DINOv2 with a random bank; the same every time."""
    config = new_config()
    config.method.name = "retrieval"
    for name, value in settings.items():
        setattr(config.method.retrieval, name, value)
    method = compose(config, CLASSES, guide=dino_encoder())
    assert isinstance(method, Retrieval)
    generator = torch.Generator().manual_seed(0)
    keys = torch.randn(rows, method.encoder.width, generator=generator)
    method.bank.fill(torch.nn.functional.normalize(keys), torch.arange(rows) % CLASSES)
    method.regions = quarters  # type: ignore[assignment]
    return method.eval()


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (15, 100), (64, 9)])
def test_logits_have_one_cell_per_pixel(size: tuple[int, int]):
    method = tiny_retrieval()
    image = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    logits = method(image)
    assert logits.shape == (2, CLASSES, *size)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits.softmax(1), logits.exp(), atol=1e-4, rtol=0)
    assert torch.equal(logits, method(image.float()))
    assert torch.equal(logits[1:], method(image[1:]))


def test_what_is_in_no_region_is_background():
    probability = tiny_retrieval().probabilities(np.zeros((32, 32, 3), np.uint8))
    assert probability[:, :8, :8].argmax(0).eq(0).all()
    assert probability[0, :8, :8].eq(1).all()
    assert probability.sum(0).sub(1).abs().max() < 1e-5


def test_masks_that_overlap_and_an_id_map_agree():
    """Where they do not overlap: id maps take a way of their own."""
    method = tiny_retrieval(least_area=1)
    image = np.random.default_rng(0).integers(0, 256, (33, 47, 3)).astype(np.uint8)
    ids = quarters(image, None).id_map
    masks = np.stack([ids == each for each in range(1, 5)])
    given = Regions(ids, Proposals(masks, np.ones(4, np.float32)))
    one, other = (method.probabilities(image, regions=each) for each in (given, Regions(ids)))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert len(one.argmax(0).unique()) > 2


@pytest.mark.parametrize("regions", [0, 1])
def test_an_image_without_usable_regions(regions: int):
    masks, scores = np.ones((regions, 20, 20), bool), np.zeros(regions, np.float32)
    given = Regions(np.zeros((20, 20), np.int32), Proposals(masks, scores))
    method = tiny_retrieval()
    for each in (given, Regions(given.id_map)):
        found = method.probabilities(np.zeros((20, 20, 3), np.uint8), regions=each)
        assert found[0].eq(1).all()


def test_an_empty_bank_finds_background():
    assert tiny_retrieval(rows=0)(torch.zeros(1, 3, 32, 32)).argmax(1).eq(0).all()


def test_saved_and_loaded_it_gives_equal_logits(tmp_path):
    method, fresh = tiny_retrieval(), tiny_retrieval(rows=3)
    image = make_batch().image
    assert not torch.equal(fresh(image), method(image))
    load_trained(fresh, method.trained.state_dict(), tmp_path / "model")
    assert torch.equal(fresh(image), method(image))


@pytest.mark.parametrize(
    ("keys", "classes", "match"),
    [
        (torch.zeros(3, 5), torch.zeros(3), r"a bank of \(3, 5\) features, and 64 numbers"),
        (torch.zeros(3, 64), torch.zeros(2), "a bank of"),
        (torch.zeros(3, 64), torch.full((3,), CLASSES), "other class ids than 0 to"),
        (torch.zeros(3, 64), torch.full((3,), 0.5), "other class ids than 0 to"),
    ],
)
def test_another_bank_does_not_load(tmp_path, keys, classes, match):
    state = {"keys": keys.half(), "classes": classes.half()}
    with pytest.raises(InputError, match=match):
        load_trained(tiny_retrieval(), state, tmp_path / "model")


def test_nothing_is_trained():
    method = tiny_retrieval()
    assert method.parameter_groups() == []
    assert not any(each.requires_grad for each in method.parameters())
    with pytest.raises(InputError, match="no training steps: its bank is filled"):
        method.training_step(make_batch(), 0)
    method.train()
    assert not method.encoder.training


@pytest.mark.parametrize("tags", [(), (1, 3)])
def test_labels_hold_tags_alone(tags: tuple[int, ...]):
    maps = tiny_retrieval().label_maps(make_batch().image[:1], tags, size=(21, 30), step=0)
    assert set(maps.label_map) == set(LABEL_KINDS)
    for label_map in maps.label_map.values():
        assert label_map.shape == (21, 30)
        assert set(label_map.unique().tolist()) <= {0, *(tag + 1 for tag in tags)}


def test_rows_of_a_pseudo_mask():
    method = tiny_retrieval(erosion=2, least_area=0.02)
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    label_map = torch.zeros(40, 40, dtype=torch.uint8)
    label_map[10:30, 10:30] = 3
    label_map[:6, :6] = 2  # at the corner 4 x 4 pixels are left, under 2 %
    label_map[35:] = 255
    keys, classes = method.rows_of(image, label_map)
    assert classes.tolist() == [3, 0]
    torch.testing.assert_close(keys.norm(dim=1), torch.ones(2))
    assert len(method.rows_of(image, torch.full((40, 40), 255))[0]) == 0


def test_a_second_encoder_is_needed():
    config = new_config()
    config.method.name = "retrieval"
    with pytest.raises(InputError, match=r"reads a second encoder; add dino.weights"):
        compose(config, CLASSES)


def test_memory_is_that_of_patches_not_of_pixels(monkeypatch):
    monkeypatch.setattr(tiles, "free_memory", lambda: 2 * 10**8)
    predictor = Predictor(tiny_retrieval(), long_side=None, scales=(1.0,), flip=False)
    predictor.require_memory((1100, 1000))
    with pytest.raises(RunError, match="4000 x 3000 pixels are 244388 patches, which take up to"):
        predictor.require_memory((3000, 4000))
