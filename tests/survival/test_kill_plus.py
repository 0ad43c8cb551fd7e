"""A run of WeCLIP+ that is killed ends with the same weights, bit for bit, as one that was not."""

import random

import pytest
from tests.end_to_end import worlds
from tests.survival import processes
from tests.survival.test_kill import no_checkpoint_is_unreadable, results

KILLS = [2, pytest.param(12, marks=pytest.mark.long)]


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments(tmp_path, voc_world, clip_file, dino_file, kills):
    """In its early part, and in the one where predictions replace labels."""
    few = ["train.steps=8", "train.save_every=1", "method.weclip_plus.confident_from=4"]
    changes = [*worlds.voc_changes(voc_world, clip_file), f"dino.weights={dino_file}", *few]
    line = ["train", "--config", "voc-plus", *changes, "--resume", "--out"]
    ends_as_one_left_alone(line, tmp_path, kills)


def ends_as_one_left_alone(line, folder, kills):
    """A command line that ends in `--out`: killed at writes, or left alone, it ends alike."""
    whole, out, told = folder / "whole", folder / "run", folder / "told.txt"
    process = processes.start([*line, str(whole)], told)
    process.join()
    assert process.exitcode == 0, told.read_text()
    chance = random.Random(3)
    for _ in range(kills):
        process = processes.start([*line, str(out)], told, kill_at_write=chance.randrange(2, 8))
        process.join()
        no_checkpoint_is_unreadable(out)
    process = processes.start([*line, str(out)], told)
    process.join()
    assert process.exitcode == 0, told.read_text()
    assert results(out) == results(whole)
