"""What masks hold beside what their images are tagged with."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.builders import write_mask

from weclip.data.batch import MaskedImage, MaskLabels
from weclip.data.inspection.mask_content import LOOKED_AT, content_findings, look_at_masks

NAMES = ("cat", "dog")


def findings(*samples: tuple[set[int], tuple[int, ...] | None]) -> dict[str, list[str]]:
    """Of masks of these ids on images of these tags, named 0, 1, ..."""
    images = [
        MaskedImage(str(i), Path(f"{i}.jpg"), Path(f"{i}.png"), tags)
        for i, (_, tags) in enumerate(samples)
    ]
    contents = {Path(f"{i}.png"): frozenset(ids) for i, (ids, _) in enumerate(samples)}
    return content_findings(images, contents, NAMES)


def test_right_masks_have_no_finding():
    assert findings(({0, 1, 255}, (0,)), ({0, 2}, (1,)), ({0}, ())) == {}


@pytest.mark.parametrize("tags", [(0,), (), None])
def test_binary_and_void_masks(tags):
    found = findings(({0, 1}, (0,)), ({0, 255}, tags), ({255}, tags))
    assert found == {"binary_masks": ["1"], "void_masks": ["2"]}


def test_a_class_that_none_of_its_masks_holds():
    found = findings(({0, 1}, (0, 1)), ({0, 1}, (0, 1)), ({0, 1}, (0,)))
    assert found == {
        "undrawn_classes": ["dog (tagged in 2 images with masks, drawn in none of these)"]
    }


def test_a_class_that_is_drawn_on_other_images_only():
    """Ids in another order: each class is there, but never where it is tagged."""
    found = findings(({0, 2}, (0,)), ({0, 1}, (1,)))
    assert [text.split()[0] for text in found["undrawn_classes"]] == ["cat", "dog"]
    assert found.keys() == {"undrawn_classes"}


def test_a_class_that_is_drawn_and_never_tagged():
    found = findings(({0, 1, 2}, (0,)), ({2}, ()))
    assert found == {"untagged_classes": ["dog (drawn in 2 masks, tagged in no image of them)"]}


def test_without_tags_only_the_masks_are_judged():
    assert findings(({0, 1}, None), ({0, 2}, None)) == {}


@pytest.mark.parametrize("ids", [{0}, {255}, {0, 255}])
def test_no_class_at_all(ids):
    found = findings((ids, (0,)), (ids, (1,)))
    assert found["no_class_drawn"] == ["2 masks, such as 0.png"]
    assert "undrawn_classes" not in found
    assert "no_class_drawn" not in findings((ids, ()))


def write_masks(folder: Path, count: int) -> list[MaskedImage]:
    paths = [write_mask(folder / f"{i}.png", class_id=1 + i % 2) for i in range(count)]
    return [MaskedImage(path.stem, path, path, None) for path in paths]


def test_some_are_looked_at_spread_over_all(tmp_path):
    samples = write_masks(tmp_path, 2 * LOOKED_AT + 7)
    seen, contents = look_at_masks(samples, num_classes=3)
    assert len(seen) == len(contents) == LOOKED_AT
    assert seen[0] is samples[0]
    assert samples.index(seen[-1]) > 2 * LOOKED_AT
    assert contents == {each.mask: frozenset({1 + int(each.name) % 2}) for each in seen}


def test_labels_decide_and_broken_masks_are_left_to_others(tmp_path):
    samples = write_masks(tmp_path, 3)
    Image.fromarray(np.full((2, 2), 255, np.uint8)).save(samples[0].mask)
    samples[1].mask.write_bytes(b"")
    mapped = MaskLabels(ids=((255, 2),))
    samples = [MaskedImage(s.name, s.path, s.mask, None, mapped) for s in samples]
    _, contents = look_at_masks(samples, num_classes=3)
    assert contents == {samples[0].mask: frozenset({2}), samples[2].mask: frozenset({1})}
