"""What a segmentation says agrees with its probabilities; pictures, polygons and files of it."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.inference.test_predictor import TinySegmenter, random_image

from weclip.data.masks.mask_files import read_mask
from weclip.inference.predictor import Predictor
from weclip.inference.segmentation import result as module
from weclip.inference.segmentation.model import SegmentationModel
from weclip.inference.segmentation.result import Segmentation
from weclip.inference.visualize import overlay
from weclip.system.errors import InputError

NAMES = ("background", "cat", "<dog>", "bird")
SIZE = (70, 90)


def model_with(**settings):
    return SegmentationModel(Predictor(TinySegmenter(), long_side=64, **settings), NAMES)


def doubled(image, probabilities):
    """A CRF that only sharpens."""
    squares = probabilities**2
    return squares / squares.sum(0)


@pytest.fixture
def image():
    return random_image(*SIZE)


@pytest.fixture(params=[None, doubled], ids=["plain", "crf"])
def found(request, image):
    return model_with(crf=request.param).predict(image)


def test_everything_agrees_with_the_probabilities(found):
    probabilities = found.probabilities()
    assert probabilities.shape == (4, *SIZE)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
    assert np.array_equal(found.label_map, probabilities.argmax(0))
    np.testing.assert_allclose(found.confidence, probabilities.max(0), atol=1e-6)
    half = found.probabilities("float16")
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, probabilities, atol=1e-3)


def test_classes_are_the_shares_of_the_label_map(found):
    shares = [each.share for each in found.classes]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    for each in found.classes:
        here = found.label_map == each.id
        assert NAMES[each.id] == each.name
        assert each.share == pytest.approx(here.mean())
        assert each.confidence == pytest.approx(found.confidence[here].mean())


def test_it_is_its_label_map_in_numpy(found):
    assert np.array_equal(np.asarray(found), found.label_map)
    assert np.asarray(found).dtype == np.uint8
    assert np.asarray(found, np.int64).dtype == np.int64
    assert np.shares_memory(np.asarray(found), found.label_map)
    copied = np.array(found)
    copied[:] = 3
    assert not np.array_equal(copied, found.label_map)


def test_large_images_are_never_held_for_all_classes(found, monkeypatch):
    seen, whole = [], module.windows
    monkeypatch.setattr(module, "windows", lambda size, depth: whole(size, depth, most=2**9))
    resized = module.resized
    monkeypatch.setattr(module, "resized", lambda *a: seen.append(a[2]) or resized(*a))
    plain = model_with().predict(random_image(*SIZE))
    assert plain.confidence.shape == SIZE
    assert max((r.stop - r.start) * (c.stop - c.start) for r, c in seen) * 4 <= 2**9


def test_probabilities_that_do_not_fit_are_refused(found, monkeypatch):
    monkeypatch.setattr(module, "free_memory", lambda: 70 * 90 * 4 * 4 - 1)
    with pytest.raises(InputError, match=r"90 x 70 pixels and 4 classes take .*\.confidence"):
        found.probabilities()
    with pytest.raises(InputError, match="'float32' or 'float16'"):
        found.probabilities("float64")


def test_the_overlay_is_painted_on_the_image(found, image):
    expected = overlay(image, found.label_map, 0.3)
    assert np.array_equal(np.asarray(found.overlay(0.3)), np.asarray(expected))
    for alpha in (-0.1, 1.1, float("nan"), True, "1"):
        with pytest.raises(InputError, match="number from 0 to 1"):
            found.overlay(alpha)


def test_the_overlay_reads_the_file_again(tmp_path, image):
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    found = model_with().predict(path)
    assert found.overlay().size == (90, 70)
    Image.fromarray(image[:10]).save(path)
    with pytest.raises(InputError, match=r"was 90 x 70 pixels .*is 90 x 10 now"):
        found.overlay()
    path.unlink()
    with pytest.raises(InputError, match="not found"):
        found.overlay()


def test_it_is_saved_as_a_mask(found, tmp_path):
    found.save(tmp_path / "new" / "a.png")
    assert np.array_equal(read_mask(tmp_path / "new" / "a.png"), found.label_map)
    with pytest.raises(InputError, match=r"a.jpg: a label map is saved as PNG"):
        found.save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="path is None; give a path"):
        found.save(None)


def test_polygons_drawn_again_are_the_label_map(image):
    label_map = np.zeros(SIZE, np.uint8)
    label_map[10:40, 20:50] = 1
    label_map[20:30, 30:40] = 0  # a hole
    label_map[60:65, 3:9] = 3
    logits = np.zeros((4, 2, 2), np.float32)
    found = Segmentation(
        label_map=label_map, class_names=NAMES, image=image, logits=logits, palette=np.eye(256, 3)
    )
    assert [name for name, _ in found.polygons()] == ["cat", "bird"]
    drawn = np.zeros(SIZE, np.uint8)
    for name, polygons in found.polygons():
        for polygon in polygons:
            assert polygon.dtype == np.float64
            canvas = Image.new("L", (SIZE[1] * 2, SIZE[0] * 2))
            ImageDraw.Draw(canvas).polygon([tuple(2 * xy) for xy in polygon], fill=1)
            drawn[np.asarray(canvas)[1::2, 1::2] == 1] = NAMES.index(name)
    wrong = drawn != label_map
    assert wrong.mean() < 0.005  # Pillow fills borders of holes


def test_a_notebook_shows_picture_and_legend(found):
    page = found._repr_html_()
    assert "data:image/png;base64," in page
    for each in found.classes:
        assert f"{100 * each.share:.1f} %" in page
    assert "<dog>" not in page
    with Image.open(io.BytesIO(found._repr_png_())) as picture:
        assert picture.size == (90, 70)
    assert repr(found).startswith("Segmentation(90 x 70 pixels: ")


def test_a_large_picture_is_shrunk_for_the_notebook():
    found = model_with().predict(random_image(40, 2000))
    with Image.open(io.BytesIO(found._repr_png_())) as picture:
        assert max(picture.size) == 640


def test_it_survives_pickling(found):
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again, found)
    np.testing.assert_array_equal(again.confidence, found.confidence)
