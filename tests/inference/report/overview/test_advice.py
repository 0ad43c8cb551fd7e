"""What is advised, by hand-made numbers."""

import numpy as np

from weclip.inference.report.overview import advice
from weclip.inference.report.overview.classes import class_rows, confusion_table, confusions
from weclip.inference.report.overview.scene import Scene

NAMES = ("background", "cat", "dog")


def scenes(*given):
    return [
        Scene(name=str(i), size=(1, 1), tags=tags, shares=shares)
        for i, (tags, shares) in enumerate(given)
    ]


def titles(found):
    return [each.title for each in found]


def test_rare_classes_are_named_with_their_images():
    rows = class_rows([], num_classes=3, images=[3, 10], iou=None)
    (only,) = advice.few_images(rows, NAMES)
    assert "cat (3)" in only.why
    assert "dog" not in only.why
    assert advice.few_images(class_rows([], num_classes=3, images=None, iou=None), NAMES) == []


def test_lost_and_untold_classes_and_exchanges():
    swapped = ((0,), {0: 0.5, 2: 0.5})
    looked = scenes(swapped, swapped, swapped, ((1,), {0: 0.5, 2: 0.5}))
    (lost,) = advice.lost_tags(looked, NAMES, "weclip check")
    assert "3 of 4 tags are nowhere" in lost.why
    assert "cat (3 of 3)" in lost.why
    assert lost.command == "weclip check"
    (untold,) = advice.untold_classes(looked, NAMES)
    assert "In 3 of 4 images" in untold.why
    assert "dog (in 3)" in untold.why
    (swap,) = advice.exchanged(looked, NAMES)
    assert "dog for cat (in 3)" in swap.why
    fine = scenes(((0,), {0: 0.5, 1: 0.5}))
    assert not advice.lost_tags(fine, NAMES) + advice.exchanged(fine, NAMES)
    assert advice.untold_classes(fine, NAMES) == []


def test_confusions_of_masks():
    matrix = np.array([[90, 10, 0], [30, 50, 20], [0, 1, 99]])
    assert confusions(matrix) == [(1, 0, 0.3), (1, 2, 0.2), (0, 1, 0.1), (2, 1, 0.01)]
    mixed, missed = advice.mixed_up(matrix, NAMES)
    assert "cat for dog (20 %)" in mixed.why
    assert "cat (30 %)" in missed.why
    assert advice.mixed_up(None, NAMES) == []
    table = confusion_table(matrix, NAMES)
    assert 'title="cat, predicted dog: 20 %">20</td>' in table


def test_only_the_most_confused_of_many_classes_are_in_the_matrix():
    count = 60
    matrix = np.diag(np.full(count, 1000))
    matrix[7, 55] = 500
    table = confusion_table(matrix, [f"class {i}" for i in range(count)])
    assert "The 24 of 60 classes" in table
    assert table.count("<tr>") == 25
    assert "<b><bdi>class 7</bdi></b> is taken for <b><bdi>class 55</bdi></b>" in table


def test_whether_longer_training_helps():
    falling = [(step, 1.0 / (1 + step)) for step in range(20)]
    flat = [(step, 1.0) for step in range(20)]
    (longer,) = advice.convergence(falling, [], lambda steps: f"for {steps}")
    assert (longer.title, longer.command) == ("Train longer", "for 38")
    assert advice.convergence(flat, []) == advice.convergence(falling[:9], []) == []
    scores = [(10, 0.5), (20, 0.6)]
    assert titles(advice.convergence(flat, scores)) == ["Train longer"]
    assert titles(advice.convergence(falling, [(10, 0.5), (20, 0.503)])) == []
    assert titles(advice.convergence(falling, [(10, 0.6), (20, 0.5)])) == ["Shorter would do"]
    assert titles(advice.convergence([], [])) == []


def test_low_confidence_and_much_that_is_unsure():
    low = [Scene(name="a", size=(1, 1), shares={0: 0.5}, unsure=0.5, confidence=0.4)]
    assert len(advice.unsure(low)) == 2
    assert advice.unsure([]) == advice.unsure(scenes((None, {0: 1.0}))) == []
