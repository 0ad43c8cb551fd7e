from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.builders import write_image, write_mask

from weclip.data.batch import MaskedImage
from weclip.data.images.full_images import EvalDataset, full_images
from weclip.system.errors import InputError


@pytest.fixture
def samples(tmp_path: Path) -> list[MaskedImage]:
    return [
        MaskedImage(
            str(i),
            write_image(tmp_path / f"{i}.png", (10 + i, 6)),
            write_mask(tmp_path / "masks" / f"{i}.png", (10 + i, 6), class_id=i),
            (i,) if i else None,
        )
        for i in range(3)
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_full_images_in_order(samples: list[MaskedImage], workers: int) -> None:
    before = torch.get_rng_state()
    items = list(full_images(samples, num_classes=3, workers=workers))
    assert torch.equal(torch.get_rng_state(), before)
    assert [item.name for item in items] == ["0", "1", "2"]
    assert [item.tags for item in items] == [None, (1,), (2,)]
    for i, (_, image, mask, _) in enumerate(items):
        assert (image.shape, image.dtype) == ((6, 10 + i, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((6, 10 + i), np.uint8)
        assert (mask == i).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_wrong_ids_are_one_line(samples: list[MaskedImage], workers: int) -> None:
    with pytest.raises(InputError, match=r"2.png: mask has class ids \[2\]") as error:
        list(full_images(samples, num_classes=2, workers=workers))
    assert "\n" not in str(error.value)


def test_sizes_must_agree(samples: list[MaskedImage]) -> None:
    write_mask(samples[1].mask, (7, 6))
    with pytest.raises(InputError, match=r"mask is 7 x 6 but its image .*1.png is 11 x 6"):
        EvalDataset(samples, num_classes=3)[1]


def test_mask_drawn_without_regard_to_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "i.jpg"
    Image.new("RGB", (16, 8)).save(path, exif=exif)
    for size in ((16, 8), (8, 16)):
        mask = write_mask(tmp_path / "i.png", size)
        item = EvalDataset([MaskedImage("i", path, mask, None)], num_classes=2)[0]
        assert item.image.shape[:2] == item.mask.shape == size[::-1]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_process_without_a_part_of_the_images(workers: int) -> None:
    assert list(full_images([], num_classes=2, workers=workers)) == []
