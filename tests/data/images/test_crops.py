import numpy as np
import pytest
from PIL import Image

from weclip.data.images.crops import Augmentation, crop_window, random_crop


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def long_way(
    image: Image.Image, crop_size: int, scale: float, flip: bool, place: np.ndarray
) -> np.ndarray:
    """Resize the whole image, flip it, paste it into a canvas, cut the crop out."""
    size = tuple(max(1, int(side * scale)) for side in image.size)
    scaled = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    if flip:
        scaled = scaled[:, ::-1]
    height, width = scaled.shape[:2]
    canvas = np.zeros((max(height, crop_size), max(width, crop_size), 3), np.uint8)
    y_pad = int(place[0] * (len(canvas) - height + 1)) if height < crop_size else 0
    x_pad = int(place[1] * (canvas.shape[1] - width + 1)) if width < crop_size else 0
    canvas[y_pad : y_pad + height, x_pad : x_pad + width] = scaled
    y0 = int(place[0] * (len(canvas) - crop_size + 1)) if height >= crop_size else 0
    x0 = int(place[1] * (canvas.shape[1] - crop_size + 1)) if width >= crop_size else 0
    return canvas[y0 : y0 + crop_size, x0 : x0 + crop_size]


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_long_way(seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(10, 90, 2)
    image = noise(int(sizes[0]), int(sizes[1]), seed)
    crop = random_crop(
        image,
        Augmentation(48, (0.5, 2.0), 0.5),
        np.random.default_rng(seed),
    )
    rng = np.random.default_rng(seed)
    scale, flip, place = rng.uniform(0.5, 2.0), rng.random() < 0.5, rng.random(2)
    expected = long_way(image, 48, scale, flip, place)
    difference = np.abs(crop.image.astype(int) - expected.astype(int))
    assert difference.max() <= 1  # rounding of the window's position


@pytest.mark.parametrize("seed", range(20))
def test_content_box_is_exactly_the_content(seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(8, 80, 2)
    crop = random_crop(
        Image.new("RGB", (int(sizes[0]), int(sizes[1])), "white"),
        Augmentation(40, (0.5, 2.0), 0.5),
        np.random.default_rng(seed),
    )
    y0, x0, y1, x1 = crop.content_box
    inside = np.zeros((40, 40), bool)
    inside[y0:y1, x0:x1] = True
    assert crop.image.shape == (40, 40, 3)
    assert crop.image.dtype == np.uint8
    assert (crop.image[inside] == 255).all()
    assert (crop.image[~inside] == 0).all()
    assert inside.any()


def test_no_change_when_nothing_is_random() -> None:
    image = noise(20, 20)
    for flip in (0.0, 1.0):
        crop = random_crop(
            image,
            Augmentation(20, (1.0, 1.0), flip),
            np.random.default_rng(0),
        )
        expected = np.asarray(image)[:, :: -1 if flip else 1]
        np.testing.assert_array_equal(crop.image, expected)
        assert crop.content_box == (0, 0, 20, 20)


def test_a_large_image_is_seen_at_the_longest_side_and_a_small_one_as_it_is() -> None:
    small = noise(50, 30)
    large = small.resize((200, 120), Image.Resampling.NEAREST)
    ways = [
        random_crop(image, Augmentation(64, (0.5, 2.0), 0.5, side), np.random.default_rng(3))
        for image, side in ((small, None), (small, 50), (large, 50))
    ]
    np.testing.assert_array_equal(ways[1].image, ways[0].image)
    assert ways[2].content_box == ways[0].content_box
    published = random_crop(
        large, Augmentation(64, (0.5, 2.0), 0.5, None), np.random.default_rng(3)
    )
    assert published.content_box != ways[0].content_box


def test_tiny_image_survives() -> None:
    crop = random_crop(
        noise(1, 1),
        Augmentation(8, (0.5, 0.5), 0.5),
        np.random.default_rng(0),
    )
    y0, x0, y1, x1 = crop.content_box
    assert (y1 - y0, x1 - x0) == (1, 1)


def test_window_reaches_both_ends() -> None:
    assert {crop_window(6, 4, p)[0] for p in np.linspace(0, 0.999, 50)} == {0, 1, 2}
    assert {crop_window(4, 6, p)[1] for p in np.linspace(0, 0.999, 50)} == {0, 1, 2}
    assert crop_window(5, 5, 0.9) == (0, 0, 5)


@pytest.mark.parametrize("seed", range(10))
def test_a_mask_is_cropped_as_its_image(seed: int) -> None:
    """Pixels of one colour are those of one class; between classes colours mix."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(30, 90, 2)
    blocks = rng.integers(0, 4, (9, 9)).astype(np.uint8)
    mask = np.repeat(np.repeat(blocks, 10, 0), 10, 1)[:height, :width]
    colours = np.array([(250, 0, 0), (0, 250, 0), (0, 0, 250), (90, 90, 90)], np.uint8)
    image, use = Image.fromarray(colours[mask]), Augmentation(48, (0.5, 2.0), 0.5, 60)
    crop = random_crop(image, use, np.random.default_rng(seed), mask)
    plain = random_crop(image, use, np.random.default_rng(seed))
    np.testing.assert_array_equal(crop.image, plain.image)
    assert plain.label_map is None
    assert crop.label_map is not None
    assert crop.label_map.dtype == np.uint8
    pure = (crop.image[:, :, None] == colours).all(axis=-1)  # (S, S, 4)
    assert pure.any(axis=-1).mean() > 0.1
    np.testing.assert_array_equal(crop.label_map[pure.any(axis=-1)], np.nonzero(pure)[2])
    y0, x0, y1, x1 = crop.content_box
    outside = np.ones((48, 48), bool)
    outside[y0:y1, x0:x1] = False
    assert (crop.label_map[outside] == 255).all()
    assert (crop.label_map[~outside] < 4).all()


@pytest.mark.parametrize("seed", range(10))
def test_regions_are_cropped_as_masks(seed: int) -> None:
    mask = np.random.default_rng(seed).integers(1, 255, (50, 70), dtype=np.uint8)
    large = mask.astype(np.int32) * 1_000_003  # no 16 bits hold them
    use = Augmentation(64, (0.5, 2.0), 0.5)
    crop = random_crop(noise(70, 50), use, np.random.default_rng(seed), mask, large)
    assert crop.label_map is not None
    assert crop.regions is not None
    assert crop.regions.dtype == np.int32
    outside = crop.label_map == 255
    assert (crop.regions[outside] == 0).all()
    expected = crop.label_map[~outside].astype(np.int32) * 1_000_003
    np.testing.assert_array_equal(crop.regions[~outside], expected)
