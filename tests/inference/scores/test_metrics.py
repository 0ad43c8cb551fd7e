import json
import tracemalloc

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from weclip.inference.scores.metrics import confusion_matrix, scores_from_confusion
from weclip.system.errors import InputError


def test_confusion_matrix_by_hand():
    mask = torch.tensor([[0, 0, 1], [1, 2, 255]])
    label_map = torch.tensor([[0, 1, 1], [0, 2, 2]])
    matrix = confusion_matrix(label_map, mask, num_classes=3)
    assert matrix.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert matrix.dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_ignored_pixels_never_count(dtype):
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 4, (30, 40), generator=generator).to(dtype)
    label_map = torch.randint(0, 4, (30, 40), generator=generator).to(dtype)
    mask[5:20] = 255
    expected = torch.zeros(4, 4, dtype=torch.int64)
    for true, predicted in zip(mask.flatten().tolist(), label_map.flatten().tolist(), strict=True):
        if true != 255:
            expected[true, predicted] += 1
    assert torch.equal(confusion_matrix(label_map, mask, num_classes=4), expected)
    label_map[5:20] = 255  # whatever was predicted there
    assert torch.equal(confusion_matrix(label_map, mask, num_classes=4), expected)


@pytest.mark.parametrize("num_classes", [2, 21, 81])
def test_confusion_matrix_is_that_of_torchmetrics(num_classes):
    generator = torch.Generator().manual_seed(num_classes)
    label_map, mask = torch.randint(0, num_classes, (2, 37, 50), generator=generator)
    mask[torch.rand(mask.shape, generator=generator) < 0.1] = 255
    expected = multiclass_confusion_matrix(
        label_map, mask, num_classes=num_classes, ignore_index=255
    )
    assert torch.equal(confusion_matrix(label_map, mask, num_classes=num_classes), expected)


def test_mask_without_labels_counts_nothing():
    nothing = confusion_matrix(
        torch.zeros(2, 2, dtype=torch.uint8),
        torch.full((2, 2), 255, dtype=torch.uint8),
        num_classes=3,
    )
    assert nothing.sum() == 0


def test_scores_by_hand():
    # class 2 is never true but predicted once: absent, yet its false positive hurts class 0
    matrix = torch.tensor([[3, 0, 1], [1, 5, 0], [0, 0, 0]])
    scores = scores_from_confusion(matrix, num_images=7)
    assert scores.per_class_iou == pytest.approx((3 / 5, 5 / 6, None))
    assert scores.miou == pytest.approx((3 / 5 + 5 / 6) / 2)
    assert scores.pixel_accuracy == pytest.approx(8 / 10)
    assert scores.mean_class_accuracy == pytest.approx((3 / 4 + 5 / 6) / 2)
    assert scores.num_images == 7


def test_class_in_truth_never_predicted_counts_as_zero():
    scores = scores_from_confusion(torch.tensor([[4, 0], [2, 0]]), num_images=1)
    assert scores.per_class_iou == pytest.approx((4 / 6, 0))
    assert scores.miou == pytest.approx(1 / 3)


def test_scores_are_of_the_summed_matrix_not_of_images():
    first, second = torch.tensor([[9, 0], [1, 0]]), torch.tensor([[0, 0], [0, 10]])
    summed = scores_from_confusion(first + second, num_images=2).miou
    assert summed == pytest.approx((9 / 10 + 10 / 11) / 2)


def test_to_dict_is_json():
    scores = scores_from_confusion(torch.tensor([[1, 0], [0, 0]]), num_images=1)
    values = json.loads(json.dumps(scores.to_dict(["background", "cat"]), allow_nan=False))
    assert values == {
        "miou": 1.0,
        "pixel_accuracy": 1.0,
        "mean_class_accuracy": 1.0,
        "num_images": 1,
        "per_class_iou": {"background": 1.0, "cat": None},
    }


def test_empty_matrix_is_refused():
    with pytest.raises(InputError, match="nothing to score: 3 images without a labelled pixel"):
        scores_from_confusion(torch.zeros(2, 2), num_images=3)


def test_other_sizes_are_refused():
    with pytest.raises(InputError, match="2 x 3 pixels and mask of 3 x 2 differ in size"):
        confusion_matrix(torch.zeros(2, 3), torch.zeros(3, 2), num_classes=2)


@pytest.mark.parametrize(("name", "predicted", "true"), [("label map", 3, 0), ("mask", 0, 7)])
def test_other_ids_are_refused(name, predicted, true):
    with pytest.raises(InputError, match=f"{name} has class ids .* allowed are 0 to 2, and 255"):
        confusion_matrix(torch.tensor([[predicted]]), torch.tensor([[true]]), num_classes=3)


def test_unsure_pixels_are_wrong_and_nobodys():
    mask = torch.tensor([[0, 0, 1, 1, 255]])
    label_map = torch.tensor([[0, 255, 1, 255, 255]])
    matrix = confusion_matrix(label_map, mask, num_classes=2, unsure=True)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 1]]
    scores = scores_from_confusion(matrix, num_images=1)
    assert scores.per_class_iou == pytest.approx((1 / 2, 1 / 2))
    assert scores.pixel_accuracy == pytest.approx(1 / 2)
    assert scores.mean_class_accuracy == pytest.approx(1 / 2)
    assert scores.unsure_share == pytest.approx(2 / 4)
    assert scores.to_dict(["background", "cat"])["unsure_share"] == pytest.approx(2 / 4)


def test_label_maps_that_are_sure_score_the_same_either_way():
    generator = torch.Generator().manual_seed(0)
    mask, label_map = torch.randint(0, 4, (2, 30, 40), generator=generator)
    square = confusion_matrix(label_map, mask, num_classes=4)
    wide = confusion_matrix(label_map, mask, num_classes=4, unsure=True)
    assert torch.equal(wide[:, :4], square)
    scores = scores_from_confusion(wide, num_images=1)
    assert scores.unsure_share == 0
    assert scores.miou == scores_from_confusion(square, num_images=1).miou


def test_unsure_pixels_are_refused_unless_allowed():
    with pytest.raises(InputError, match="label map has class ids 255 to 255: allowed are 0 to 2"):
        confusion_matrix(torch.tensor([[255]]), torch.tensor([[0]]), num_classes=3)


def test_other_ids_are_refused_beside_unsure_pixels():
    with pytest.raises(InputError, match="label map has class ids 0 to 3"):
        confusion_matrix(torch.tensor([[3, 0]]), torch.tensor([[1, 0]]), num_classes=3, unsure=True)
    with pytest.raises(InputError, match="mask has class ids 0 to 7"):
        confusion_matrix(
            torch.tensor([[255, 0]]), torch.tensor([[7, 0]]), num_classes=3, unsure=True
        )


@pytest.mark.parametrize("unsure", [False, True])
def test_large_images_are_counted_in_bands(unsure):
    """The matrix is that of the whole, and its memory that of some rows."""
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 4, (5000, 1200), dtype=np.uint8)
    label_map = rng.integers(0, 3, mask.shape, dtype=np.uint8)
    mask[mask == 3] = 255
    label_map[::7] = 255 if unsure else 0
    expected = np.zeros((3, 3 + unsure), np.int64)
    for true in range(3):
        for column, predicted in enumerate([0, 1, 2, 255][: 3 + unsure]):
            expected[true, column] = np.sum((mask == true) & (label_map == predicted))
    tracemalloc.start()
    matrix = confusion_matrix(label_map, mask, num_classes=3, unsure=unsure)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(matrix.numpy(), expected)
    assert torch.equal(
        confusion_matrix(
            torch.from_numpy(label_map), torch.from_numpy(mask), num_classes=3, unsure=unsure
        ),
        matrix,
    )
    assert peak < 60 * 2**20  # 96 MB would be one copy in 64 bits
