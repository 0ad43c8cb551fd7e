import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weclip.data.images.full_images import EvalItem
from weclip.inference.predictor import Predictor
from weclip.inference.scores.evaluate import (
    evaluate_segmentation,
    score_label_maps,
)
from weclip.system.errors import InputError


class BrightestChannel(nn.Module):
    """The class of a patch is its brightest channel."""

    def forward(self, image):
        assert not self.training
        return F.avg_pool2d(image, 16)


def solid(channel, size=(32, 48)):
    image = np.zeros((*size, 3), dtype=np.uint8)
    image[..., channel] = 250
    return image


def samples():
    right = np.full((32, 48), 1, dtype=np.uint8)
    half = np.full((32, 48), 2, dtype=np.uint8)
    half[:16] = 0
    half[:, :8] = 255
    return [EvalItem("seen/a", solid(1), right, None), EvalItem("unseen/b", solid(2), half, (1,))]


@pytest.fixture
def result():
    return evaluate_segmentation(
        Predictor(BrightestChannel(), long_side=None),
        samples(),
        num_classes=3,
        group_of=lambda name: name.split("/")[0],
    )


def test_evaluation_by_hand(result):
    # image a: 1536 pixels right; image b: 640 background and 640 dog pixels, all called dog
    assert result.scores.per_class_iou == pytest.approx((0, 1, 0.5))
    assert result.scores.miou == pytest.approx(0.5)
    assert result.scores.pixel_accuracy == pytest.approx((1536 + 640) / (1536 + 1280))
    assert result.scores.mean_class_accuracy == pytest.approx(2 / 3)
    assert result.scores.num_images == 2
    assert result.image_miou == pytest.approx({"seen/a": 1, "unseen/b": 0.25})
    assert result.ranked() == ["seen/a", "unseen/b"]
    assert result.group_scores["seen"].miou == pytest.approx(1)
    assert result.group_scores["unseen"].per_class_iou == pytest.approx((0, None, 0.5))
    assert result.group_scores["unseen"].num_images == 1


def test_evaluation_leaves_the_training_mode_and_streams():
    model, made, counted = BrightestChannel().train(), [], []

    def stream():
        for index in range(100):
            made.append(index)
            yield samples()[0]._replace(name=str(index))

    def group_of(name):  # asked when an image is counted
        counted.append(name)
        assert len(made) - len(counted) < 20  # a batch, and those that are made ready

    evaluate_segmentation(
        Predictor(model, long_side=None), stream(), num_classes=3, group_of=group_of
    )
    assert model.training
    assert counted == [str(index) for index in range(100)]


def test_images_without_labels_or_group_are_counted_once():
    void = torch.full((4, 4), 255, dtype=torch.uint8)
    zero = torch.zeros(4, 4, dtype=torch.uint8)
    result = score_label_maps(
        [("void", zero, void), ("b", zero, zero)],
        num_classes=2,
        group_of=lambda name: None if name == "void" else "other",
    )
    assert result.scores.num_images == 2
    assert list(result.image_miou) == ["b"]
    assert result.group_scores["other"].num_images == 1


def test_group_of_void_images_has_no_score():
    void = np.full((4, 4), 255, dtype=np.uint8)
    zero = np.zeros((4, 4), dtype=np.uint8)
    result = score_label_maps(
        [("void", zero, void), ("b", zero, zero)], num_classes=2, group_of=lambda name: name
    )
    assert list(result.group_scores) == ["b"]


def test_errors_name_the_image():
    with pytest.raises(InputError, match=r"image x/y: label map of 2 x 2 .* differ in size"):
        score_label_maps([("x/y", np.zeros((2, 2)), np.zeros((3, 3)))], num_classes=2)
    with pytest.raises(InputError, match="nothing to score: 0 images"):
        score_label_maps([], num_classes=2)


def test_read_only_masks_do_not_warn(recwarn):
    mask = np.zeros((4, 4), dtype=np.uint8)
    mask.flags.writeable = False
    assert score_label_maps([("a", mask, mask)], num_classes=2).scores.miou == 1
    assert not recwarn.list
