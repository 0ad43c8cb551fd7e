from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data._utils.pin_memory import pin_memory

from weclip.data import loader
from weclip.data.batch import Batch, Share, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.corrections.masks import CorrectedMasks
from weclip.data.images.crops import Augmentation
from weclip.data.loader import CropDataset, StepSampler, TrainLoader, train_loader
from weclip.data.masks.mask_files import save_mask
from weclip.system.errors import InputError

AUGMENTATION = Augmentation(24, (0.5, 2.0), 0.5)


@pytest.fixture
def samples(tmp_path: Path) -> list[TaggedImage]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(5):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(1, 256, (20 + i, 30, 3), dtype=np.uint8)).save(path)
        made.append(TaggedImage(str(i), path, ((), (0,), (2,), (0, 1), (1, 2))[i]))
    return made


def make(
    samples: list[TaggedImage],
    classes: ClassList,
    *,
    batch_size: int = 2,
    workers: int = 0,
    seed: int = 0,
    max_unreadable: float = 0.0,
    corrected: CorrectedMasks | None = None,
) -> TrainLoader:
    crops = CropDataset(samples, AUGMENTATION, seed=seed, corrected=corrected)
    return train_loader(
        crops,
        classes=classes,
        batch_size=batch_size,
        workers=workers,
        max_unreadable=max_unreadable,
    )


def assert_equal(one: Batch, other: Batch) -> None:
    assert one.names == other.names
    assert torch.equal(one.image, other.image)
    assert torch.equal(one.tags, other.tags)
    assert torch.equal(one.content_box, other.content_box)


def test_batch_contract(samples: list[TaggedImage], pets: ClassList) -> None:
    batch = next(iter(make(samples, pets, batch_size=5)))
    assert (batch.image.shape, batch.image.dtype) == ((5, 3, 24, 24), torch.uint8)
    assert (batch.tags.shape, batch.tags.dtype) == ((5, 3), torch.bool)
    assert (batch.content_box.shape, batch.content_box.dtype) == ((5, 4), torch.int64)
    assert batch.image.is_contiguous()
    for i, name in enumerate(batch.names):
        assert tuple(batch.tags[i].nonzero()[:, 0].tolist()) == samples[int(name)].tags
        y0, x0, y1, x1 = batch.content_box[i].tolist()
        content = torch.zeros(24, 24, dtype=torch.bool)
        content[y0:y1, x0:x1] = True
        assert torch.equal(batch.image[i].amax(0) > 0, content)  # no pixel of the images is black


def test_every_epoch_has_every_sample_once_in_a_new_order(
    samples: list[TaggedImage], pets: ClassList
) -> None:
    names = [n for b in islice(make(samples, pets), 10) for n in b.names]
    epochs = [tuple(names[i : i + 5]) for i in range(0, 20, 5)]
    assert all(sorted(epoch) == list("01234") for epoch in epochs)
    assert len(set(epochs)) > 1


def test_resume_and_workers_do_not_change_the_stream(
    samples: list[TaggedImage], pets: ClassList
) -> None:
    straight = list(islice(make(samples, pets), 9))
    resumed = list(islice(make(samples, pets, workers=2).batches(start_step=4), 5))
    for one, other in zip(straight[4:], resumed, strict=True):
        assert_equal(one, other)
    for one, other in zip(straight, islice(make(samples, pets), 9), strict=True):
        assert_equal(one, other)


def test_a_sample_is_cropped_anew_in_every_epoch(
    samples: list[TaggedImage], pets: ClassList
) -> None:
    batches = list(islice(make(samples[:1], pets, batch_size=1), 4))
    assert not any(torch.equal(batches[0].image, later.image) for later in batches[1:])


def test_seeds_differ(samples: list[TaggedImage], pets: ClassList) -> None:
    one, other = (next(iter(make(samples, pets, batch_size=5, seed=s))) for s in (0, 1))
    assert not torch.equal(one.image, other.image)


def test_processes_share_the_global_batch(samples: list[TaggedImage], pets: ClassList) -> None:
    whole = list(islice(make(samples, pets, batch_size=4), 5))
    parts = [
        list(islice(make(samples, pets, batch_size=4).batches(process_index=i, process_count=3), 5))
        for i in range(3)
    ]
    for all_of_it, *shares in zip(whole, *parts, strict=True):
        assert all_of_it.names == sum((share.names for share in shares), ())
        assert torch.equal(all_of_it.image, torch.cat([share.image for share in shares]))
        assert [share.share for share in shares] == [Share(0, 4), Share(1, 4), Share(2, 4)]


def test_more_processes_than_images_in_a_batch(samples: list[TaggedImage], pets: ClassList) -> None:
    loader = make(samples, pets, batch_size=2)
    with pytest.raises(InputError, match=r"train.batch_size=2 is too small for 3 processes"):
        loader.batches(process_index=0, process_count=3)


def test_fewer_samples_than_a_batch(samples: list[TaggedImage], pets: ClassList) -> None:
    first, second = islice(make(samples[:3], pets, batch_size=6), 2)
    assert Counter(first.names) == Counter(second.names) == {"0": 2, "1": 2, "2": 2}
    assert len({image.numpy().tobytes() for image in first.image}) == 6


def test_sampler_is_a_function_of_the_step() -> None:
    sampler = StepSampler(1000, batch_size=4, seed=3)
    far = sampler.batch(123_456)
    assert far == next(iter(StepSampler(1000, batch_size=4, seed=3, start_step=123_456)))
    assert {epoch for epoch, _ in far} == {123_456 * 4 // 1000}
    assert sampler.batch(0) != StepSampler(1000, batch_size=4, seed=4).batch(0)


def test_global_random_state_is_untouched(samples: list[TaggedImage], pets: ClassList) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    next(iter(make(samples, pets)))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_one_line(
    samples: list[TaggedImage], pets: ClassList, workers: int
) -> None:
    samples[2].path.write_bytes(b"no image")
    loader = make(samples, pets, batch_size=5, workers=workers)
    with pytest.raises(InputError, match=r"2.png: image cannot be read") as error:
        next(iter(loader))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_few_broken_images_are_skipped_and_counted(
    samples: list[TaggedImage], pets: ClassList, workers: int
) -> None:
    whole = list(islice(make(samples, pets, batch_size=5), 3))
    samples[2].path.write_bytes(b"no image")
    loader = make(samples, pets, batch_size=5, workers=workers, max_unreadable=0.2)
    told: list[str] = []
    for before, batch in zip(whole, loader.batches(report=told.append), strict=False):
        assert batch.names == tuple("3" if name == "2" else name for name in before.names)
        kept = [i for i, name in enumerate(before.names) if name != "2"]
        assert torch.equal(batch.image[kept], before.image[kept])
    assert len(told) == 1
    assert "2.png: image cannot be read" in told[0]
    assert loader.unreadable == told


def test_too_many_broken_images_end_it(samples: list[TaggedImage], pets: ClassList) -> None:
    for sample in samples[:2]:
        sample.path.write_bytes(b"no image")
    batches = make(samples, pets, batch_size=5, max_unreadable=0.2).batches()
    with pytest.raises(InputError, match=r"2 of 5 training images .* data.max_unreadable=0.2"):
        next(batches)


def test_nothing_but_broken_images(samples: list[TaggedImage], pets: ClassList) -> None:
    for sample in samples:
        sample.path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"nor can 10 further images"):
        next(make(samples, pets, max_unreadable=1.0).batches())


@pytest.fixture
def corrected(tmp_path: Path) -> CorrectedMasks:
    """Masks of the images 1 and 3, of the class of their number."""
    for i in (1, 3):
        save_mask(np.full((20 + i, 30), i, np.uint8), tmp_path / "masks" / f"{i}.png")
    return CorrectedMasks({str(i): tmp_path / "masks" / f"{i}.png" for i in (1, 3)}, weight=2.5)


def test_corrected_masks_come_with_their_images(
    samples: list[TaggedImage], pets: ClassList, corrected: CorrectedMasks
) -> None:
    plain = list(islice(make(samples, pets, batch_size=5), 3))
    batches = list(islice(make(samples, pets, batch_size=5, corrected=corrected), 3))
    for before, batch in zip(plain, batches, strict=True):
        assert before.corrected is None
        assert batch.corrected is not None
        assert_equal(before, batch)
        label_map, weight = batch.corrected
        assert (label_map.dtype, label_map.shape) == (torch.int16, (5, 24, 24))
        for i, name in enumerate(batch.names):
            if name not in corrected.files:
                assert (label_map[i] == -1).all()
                assert weight is not None
                assert weight[i] == 1
                continue
            y0, x0, y1, x1 = batch.content_box[i].tolist()
            expected = torch.full((24, 24), 255, dtype=torch.int16)
            expected[y0:y1, x0:x1] = int(name)
            assert torch.equal(label_map[i], expected)
            assert weight is not None
            assert weight[i] == 2.5


def test_shares_and_resumed_streams_have_the_same_corrected_masks(
    samples: list[TaggedImage], pets: ClassList, corrected: CorrectedMasks
) -> None:
    whole = list(islice(make(samples, pets, batch_size=4, corrected=corrected), 4))
    parts = [
        make(samples, pets, batch_size=4, workers=index, corrected=corrected).batches(
            start_step=2, process_index=index, process_count=2
        )
        for index in range(2)
    ]
    for batch, *shares in zip(whole[2:], *(islice(part, 2) for part in parts), strict=True):
        assert batch.corrected is not None
        for one, *of_shares in zip(batch.corrected, *(s.corrected for s in shares), strict=True):
            assert torch.equal(one, torch.cat(of_shares))


def test_a_weight_of_one_is_no_weight(
    samples: list[TaggedImage], pets: ClassList, corrected: CorrectedMasks
) -> None:
    batch = next(iter(make(samples, pets, corrected=replace(corrected, weight=1.0))))
    assert batch.corrected is not None
    assert batch.corrected.weight is None


def test_no_samples(pets: ClassList) -> None:
    with pytest.raises(InputError, match=r"no training images: the split is empty"):
        make([], pets)


def test_batches_lie_in_pinned_memory_where_told(
    samples: list[TaggedImage],
    pets: ClassList,
    corrected: CorrectedMasks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By PyTorch's own way of pinning; tags stay, since the host reads them."""
    pinned: list[Tensor] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: pinned.append(self) or self.clone())
    batch = next(iter(make(samples, pets, corrected=corrected)))
    asked: dict[str, object] = {}
    monkeypatch.setattr(loader, "DataLoader", lambda *_, **how: asked.update(how) or [])
    for wanted in (False, True):
        list(make(samples, pets).batches(pinned=wanted))
        assert asked["pin_memory"] == wanted
    other, message = pin_memory((batch, ("unreadable",)))
    of_batch = (batch.image, batch.content_box, *(batch.corrected or ()))
    assert [id(each) for each in pinned] == [id(each) for each in of_batch]
    assert message == ("unreadable",)
    assert other.tags is batch.tags
    assert_equal(batch, other)


def test_regions_come_with_their_images(samples: list[TaggedImage], pets: ClassList) -> None:
    def regions(sample: TaggedImage, size: tuple[int, int]) -> NDArray[np.int32]:
        assert size == (20 + int(sample.name), 30)
        return np.full(size, 1 + int(sample.name), np.int32)

    crops = CropDataset(samples, AUGMENTATION, seed=0, regions=regions)
    with_them = train_loader(crops, classes=pets, batch_size=5, workers=0)
    for batch, plain in islice(zip(with_them, make(samples, pets, batch_size=5), strict=False), 2):
        assert_equal(batch, plain)
        assert plain.regions is None
        assert batch.regions is not None
        assert batch.regions.dtype == torch.int64
        assert batch.to("meta").regions.device.type == "meta"
        inside = batch.image.amax(1) > 0
        numbers = torch.tensor([1 + int(name) for name in batch.names])[:, None, None]
        assert torch.equal(batch.regions, inside * numbers)
