from dataclasses import replace

import pytest
from PIL import Image

from weclip.config_file import from_yaml, load_config, to_yaml
from weclip.data.batch import TaggedImage
from weclip.system.errors import InputError
from weclip.tasks.train.fit_to_data import (
    Facts,
    batch_for,
    choose,
    sizes_of,
    steps_for,
    with_numbers,
)

NEEDED = ["data.root=photos", "clip.weights=demo"]
FACTS = Facts(images=150, sizes=[(128, 96)] * 150, patch=16, memory=16 * 2**30, processes=1)


def folder(*changes):
    return load_config("folder", [*NEEDED, *changes])


def test_small_sets_get_a_few_hundred_steps_and_large_ones_the_published_epochs():
    assert [steps_for(n, 4) for n in (1, 50, 150)] == [300, 300, 300]
    assert 7 < 4 * steps_for(10_582, 4) / 10_582 < 12
    assert steps_for(150, 1) == 4 * steps_for(150, 4)  # as many images are seen
    rising = [steps_for(n, 4) for n in range(1, 3000, 50)]
    assert rising == sorted(rising)


def test_every_auto_becomes_a_number_that_yaml_keeps():
    config = with_numbers(folder(), choose(folder(), FACTS, {}))
    assert "auto" not in str(config.train.steps)
    assert (config.data.crop_size, config.train.batch_size, config.train.steps) == (96, 4, 300)
    assert config.eval.side == 128
    assert config.optim.warmup_steps == 30
    run = config.train
    assert (run.log_every, run.image_every, run.eval_every, run.save_every) == (6, 30, 60, 30)
    assert from_yaml(to_yaml(config), "config.yaml") == config


def test_what_is_given_stays_and_the_rest_follows_it():
    chosen = choose(folder("train.steps=1000", "train.save_every=7"), FACTS, {})
    assert (chosen["train.steps"], chosen["train.save_every"]) == (1000, 7)
    assert chosen["train.eval_every"] == 200


def test_images_that_come_later_and_another_machine_change_no_run():
    first = choose(folder(), FACTS, {})
    later = replace(FACTS, images=9000, sizes=[(500, 375)], memory=2**30, processes=8)
    assert choose(folder(), later, {}) != first
    assert choose(folder(), later, first) == first


def test_epochs_stand_for_steps_and_are_gone_afterwards():
    config = folder("train.epochs=2")
    found = with_numbers(config, choose(config, FACTS, {}))
    assert (found.train.steps, found.train.epochs) == (75, None)


@pytest.mark.parametrize("change", ["train.epochs=0", "train.epochs=-1", "train.epochs=1e9"])
def test_epochs_have_bounds(change):
    with pytest.raises(InputError, match=r"train\.epochs"):
        folder(change)


def test_epochs_and_a_number_of_steps_contradict():
    with pytest.raises(
        InputError, match=r"train.epochs=3 and train.steps=9 both .*train.steps=auto"
    ):
        folder("train.epochs=3", "train.steps=9")
    with pytest.raises(InputError, match=r"train.epochs=3 and train.steps=30000 both"):
        load_config("voc", [*NEEDED, "train.epochs=3"])


def test_a_small_machine_gets_a_smaller_batch_and_each_process_an_image():
    assert [batch_for(gb * 10**9, 320, 1) for gb in (1, 7, 13, 80)] == [1, 2, 4, 4]
    assert batch_for(10**9, 320, 6) == 6


@pytest.mark.parametrize("preset", ["voc", "coco", "demo"])
def test_published_presets_keep_their_numbers(preset):
    config = load_config(preset, NEEDED)
    chosen = choose(config, replace(FACTS, images=7, sizes=[(40, 40)]), {})
    assert with_numbers(config, chosen) == config


def test_sides_are_read_from_the_images_and_broken_ones_left_out(tmp_path):
    Image.new("RGB", (90, 60)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    images = [TaggedImage(n, tmp_path / f"{n}.png", (0,)) for n in ("a", "b", "c")]
    assert sizes_of(images, None) == [(90, 60)]
    assert sizes_of(images, 45) == [(45, 30)]


@pytest.mark.parametrize("preset", ["folder", "folder-plus"])
def test_tests_see_images_as_large_as_training_does(preset):
    dino = ["dino.weights=demo"] if preset == "folder-plus" else []

    def tested(side: int, *changes: str) -> int | None:
        config = load_config(preset, [*NEEDED, *dino, *changes])
        facts = replace(FACTS, sizes=[(side, side // 2)])
        return with_numbers(config, choose(config, facts, {})).eval.side

    assert [tested(side) for side in (20, 64, 300, 500, 640)] == [32, 64, 300, 500, 512]
    assert tested(64, "eval.long_side=200") == 200
    assert tested(64, "eval.long_side=null") is None
    assert load_config(preset, [*NEEDED, *dino]).data.max_side == 640


def test_only_a_training_can_choose_the_side_of_tests():
    with pytest.raises(InputError, match="auto is for trainings"):
        _ = folder().eval.side
