import subprocess
import sys
from pathlib import Path

from tests.data.builders import write_image, write_mask

from weclip.data.file_facts import FileFacts, read_facts


def test_broken_chunks_in_a_mask_are_found(tmp_path: Path):
    mask = write_mask(tmp_path / "mask.png")
    content = mask.read_bytes()
    mask.write_bytes(content[:8] + b"\x00\x00\x00\x01" + content[12:])  # IHDR of one byte
    facts = read_facts(write_image(tmp_path / "image.png"), mask, num_classes=4)
    assert [kind for kind, _ in facts.problems] == ["unreadable_masks"]


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
    code = "import weclip.commands.check, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
