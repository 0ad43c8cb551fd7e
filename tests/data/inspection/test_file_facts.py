import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tests.data.builders import write_image, write_mask

from weclip.data.batch import MaskedImage
from weclip.data.classes import ClassList
from weclip.data.inspection.file_facts import FileFacts, facts_of, read_facts
from weclip.data.masks.mask_labels import mask_labels, parse_mask_labels


def test_broken_chunks_in_a_mask_are_found(tmp_path: Path):
    mask = write_mask(tmp_path / "mask.png")
    content = mask.read_bytes()
    mask.write_bytes(content[:8] + b"\x00\x00\x00\x01" + content[12:])  # IHDR of one byte
    image = write_image(tmp_path / "image.png")
    facts = read_facts(image, MaskedImage("image", image, mask, None), num_classes=4)
    assert [kind for kind, _ in facts.problems] == ["unreadable_masks"]


@pytest.mark.parametrize("size", [(12, 8), (8, 12)])
def test_masks_are_judged_by_what_their_labels_say(tmp_path: Path, pets: ClassList, size):
    image = write_image(tmp_path / "image.png", (12, 8))
    Image.new("RGB", size, (90, 90, 90)).save(tmp_path / "mask.png")
    sample = MaskedImage("image", image, tmp_path / "mask.png", None, mask_labels(pets))
    mapped = replace(sample, labels=parse_mask_labels({"#5A5A5A": "cat"}, pets, "dataset.yaml"))
    wrong_size = ["wrong_mask_sizes"] * (size == (8, 12))
    for masked, expected in ((sample, ["unknown_mask_ids", *wrong_size]), (mapped, wrong_size)):
        with facts_of([(image, masked)] * 20, num_classes=4, processes=2) as found:
            kinds = [[kind for kind, _ in each.problems] for each in found]
        assert kinds == [expected] * 20


def test_a_file_that_goes_away_is_unreadable(tmp_path: Path):
    facts = read_facts(tmp_path / "gone.jpg", None, num_classes=4)
    assert facts == FileFacts(
        None,
        False,
        b"",
        False,
        "",
        (
            (
                "unreadable_images",
                f"{tmp_path}/gone.jpg: cannot be read (No such file or directory)",
            ),
        ),
    )


def test_checking_does_not_wait_for_pytorch():
    code = "import weclip.tasks.check, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
