from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.methods.tiny_weclip import make_batch, tiny_weclip

from weclip.data.masks.colours import VOC_COLOURS
from weclip.inference.report.step_picture import draw_step
from weclip.inference.visualize import (
    enlarge,
    heat_overlay,
    heatmap,
    overlay,
    picture_row,
)


def test_colours_are_those_of_pascal_voc():
    label_map = np.array([[0, 1, 20], [4, 15, 255]], dtype=np.uint8)
    assert VOC_COLOURS[label_map].tolist() == [
        [[0, 0, 0], [128, 0, 0], [0, 64, 128]],
        [[0, 0, 128], [192, 128, 128], [224, 224, 192]],
    ]


def test_overlay_paints_only_the_foreground():
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    painted = np.asarray(overlay(image, np.array([[0, 1, 255]], dtype=np.uint8), alpha=0.5))
    assert painted[0].tolist() == [[100, 100, 100], [114, 50, 50], [100, 100, 100]]


def test_overlay_paints_in_the_given_colours():
    palette = VOC_COLOURS.copy()
    palette[1] = (200, 0, 0)
    image = np.full((1, 2, 3), 100, dtype=np.uint8)
    label_map = np.array([[0, 1]], dtype=np.uint8)
    painted = np.asarray(overlay(image, label_map, alpha=0.5, palette=palette))
    assert painted[0].tolist() == [[100, 100, 100], [150, 50, 50]]


def test_a_step_is_drawn_in_the_given_colours():
    batch = make_batch()
    output = tiny_weclip().eval().training_step(batch, step=0)
    output = replace(output, target=torch.full_like(output.target, 1))
    palette = np.zeros((256, 3), np.uint8)
    palette[1] = (0, 250, 0)
    height, width = batch.image.shape[2:]
    row = draw_step(batch, output, palette=palette).astype(int)
    scale = row.shape[0] / height
    left = 2 * (round(width * scale) + 6)  # image and CAM come before, with gaps
    painted = row[:, left : left + round(width * scale)]
    assert painted[..., 1].min() >= 150  # 0.6 of 250, and some of the image
    assert painted[..., [0, 2]].max() <= 0.4 * 255 + 1
    assert not np.array_equal(row, draw_step(batch, output))


def test_heatmap_gets_lighter_and_cuts_outliers():
    pixels = np.asarray(heatmap(np.array([[-3.0, 0.0, 0.25, 0.5, 0.75, 1.0, 9.0, np.nan]])))
    lightness = pixels[0].astype(float).sum(1)
    assert (np.diff(lightness[1:6]) > 0).all()
    assert (pixels[0, 0] == pixels[0, 1]).all()
    assert (pixels[0, 6] == pixels[0, 5]).all()
    assert (pixels[0, 7] == pixels[0, 0]).all()


def test_heat_overlay_has_the_size_of_the_image():
    image = np.zeros((30, 50, 3), dtype=np.uint8)
    assert heat_overlay(image, np.random.default_rng(0).random((3, 4))).size == (50, 30)


@pytest.mark.parametrize("smooth", [True, False])
def test_enlarge_keeps_the_shape(smooth):
    assert enlarge(Image.new("RGB", (10, 20)), 40, smooth=smooth).size == (20, 40)


def test_enlarged_label_colours_stay_pure():
    small = Image.fromarray(VOC_COLOURS[np.array([[1, 2], [3, 4]])])
    large = np.asarray(enlarge(small, 64, smooth=False)).reshape(-1, 3)
    assert len(np.unique(large, axis=0)) == 4


def test_row_joins_pictures_at_one_height():
    row = picture_row([Image.new("RGB", (10, 10)), Image.new("L", (20, 10))], height=20, gap=4)
    assert row.size == (20 + 4 + 40, 20)
    assert row.getpixel((21, 5)) == (255, 255, 255)
