"""Scores in windows are those of the whole image, PAR included."""

import tracemalloc

import numpy as np
import pytest
import torch
from tests.labels.test_pseudo_label import PAR, make, random_inputs, slots_of

from weclip.labels import pixel_scores as room
from weclip.labels.pixel_refine import ParSettings, pixel_adaptive_refinement
from weclip.labels.pixel_refine import rows as by_rows
from weclip.labels.pixel_refine.par import ROW_NUMBERS, par_strips, par_windows, reach_of
from weclip.labels.pixel_scores import Par, pixel_scores

FEW = ParSettings(
    iterations=3, dilations=(1, 4), colour_width=0.3, position_width=0.3, position_weight=0.01
)
USE = {"eps": 1e-7, "background_power": 1.0}


def small_windows(monkeypatch, side):
    """Windows of `side` pixels, far smaller than a real image's."""

    def cut(size, *_):
        for y in range(0, size[0], side):
            for x in range(0, size[1], side):
                yield slice(y, min(y + side, size[0])), slice(x, min(x + side, size[1]))

    monkeypatch.setattr(room, "windows", cut)
    monkeypatch.setattr(room, "par_windows", cut)


def in_strips(monkeypatch, side, rows):
    """Strips of `side` columns, whose rows come in by so many."""
    monkeypatch.setattr(room, "fits_whole", lambda *_: False)
    monkeypatch.setattr(
        room, "par_strips", lambda size, *_: [slice(x, x + side) for x in range(0, size[1], side)]
    )
    monkeypatch.setattr(by_rows, "ROWS", rows)


@pytest.mark.parametrize("tags", [[1], [0, 2, 3, 4]])
@pytest.mark.parametrize("size", [(40, 61), (33, 7), (5, 90)])
@pytest.mark.parametrize("rows", [1, 4, 7, 64])
def test_par_row_by_row_is_par_of_the_whole(tags, size, rows, monkeypatch):
    cam, image = random_inputs([tags], (3, 4), size)
    scores = pixel_scores(cam, slots_of([tags]), size, par=Par(FEW, image[0]), **USE)
    whole, label_map = scores.whole(), scores.label_map()
    in_strips(monkeypatch, 25, rows)
    seen = np.zeros(size, int)
    for window, _ in scores.windows():
        seen[window] += 1
    assert (seen == 1).all()
    torch.testing.assert_close(scores.whole(), whole, rtol=1e-5, atol=1e-5)
    assert torch.equal(scores.label_map(), label_map)


@pytest.mark.parametrize("size", [(700, 30), (128, 9), (129, 20), (3, 5)])
@pytest.mark.parametrize("settings", [PAR, FEW])
def test_rows_that_come_in_go_out_as_of_the_whole(size, settings):
    """Bit by bit: the sums are the same."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, *size, generator=generator)
    image = 255 * torch.rand(3, *size, generator=generator)
    whole = pixel_adaptive_refinement(maps[None], image[None], settings)[0]
    bands = list(
        by_rows.spread_rows(
            lambda rows: maps[:, rows], lambda rows: image[:, rows], size[0], settings
        )
    )
    assert [row for rows, _ in bands for row in range(size[0])[rows]] == list(range(size[0]))
    assert torch.equal(torch.cat([part for _, part in bands], dim=1), whole)


@pytest.mark.parametrize("tags", [[1], [0, 2, 3, 4]])
@pytest.mark.parametrize("size", [(40, 61), (33, 7)])
def test_par_in_windows_is_par_of_the_whole(tags, size, monkeypatch):
    cam, image = random_inputs([tags], (3, 4), size)
    scores = pixel_scores(cam, slots_of([tags]), size, par=Par(FEW, image[0]), **USE)
    whole = scores.whole()
    monkeypatch.setattr(room, "by_rows", lambda device: False)  # as elsewhere than on a CPU
    small_windows(monkeypatch, 9)
    assert len(list(scores.windows())) > 3
    torch.testing.assert_close(scores.whole(), whole, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(pixel_scores(cam, slots_of([tags]), size, **USE).whole(), whole)


@pytest.mark.parametrize("tags", [[1], [0, 4]])
def test_they_are_the_pseudo_labels_of_training(tags):
    cam, image = random_inputs([tags], (3, 4), (20, 30))
    trained = make(cam, [tags], image)
    ours = pixel_scores(cam, slots_of([tags]), (20, 30), par=Par(PAR, image[0]), **USE)
    torch.testing.assert_close(ours.whole(), trained.scores[0], rtol=1e-5, atol=1e-5)
    assert ours.class_ids.tolist() == [0, *(tag + 1 for tag in tags)]
    label_map = ours.label_map()
    assert label_map.dtype == torch.uint8
    assert torch.equal(label_map.long(), trained.label_map[0])


def test_a_guide_of_another_size(monkeypatch):
    cam, _ = random_inputs([[1]], (3, 4), (8, 8))
    _, image = random_inputs([[1]], (3, 4), (17, 11))
    scores = pixel_scores(cam, slots_of([[1]]), (40, 30), par=Par(FEW, image[0]), **USE)
    whole = scores.whole()
    small_windows(monkeypatch, 16)
    torch.testing.assert_close(scores.whole(), whole, rtol=1e-4, atol=1e-4)


def test_no_tags_are_background():
    scores = pixel_scores(torch.rand(1, 1, 2, 2), slots_of([[]]), (5, 6), **USE)
    assert torch.equal(scores.whole(), torch.ones(1, 5, 6))
    assert (scores.label_map() == 0).all()


@pytest.mark.parametrize("size", [(375, 500), (6300, 9524), (300, 200_000), (200_000, 300)])
def test_windows_of_par_are_bounded_and_usual_images_are_one(size):
    count, most = 5, 2**28
    seen, found = 0, list(par_windows(size, count, PAR))
    around = 2 * reach_of(PAR)
    for rows, columns in found:
        height, width = rows.stop - rows.start, columns.stop - columns.start
        seen += height * width
        wide = min(size[0], height + around) * min(size[1], width + around)
        assert wide * (48 + 6 * (count + 1)) <= most
    assert seen == np.prod(size)
    assert (len(found) == 1) == (size == (375, 500))


@pytest.mark.parametrize(("count", "most"), [(2, 1.5), (5, 1.5), (21, 2.1)])
def test_strips_of_par_are_bounded_and_few(count, most):
    size = (6300, 9524)
    found, around = list(par_strips(size, count, PAR)), 2 * reach_of(PAR)
    assert [column for part in found for column in range(size[1])[part]] == list(range(size[1]))
    wide = max(part.stop - part.start for part in found) + around
    assert wide * (48 * (reach_of(PAR) + 256) + count * (around + 6 * 128)) <= ROW_NUMBERS
    assert size[1] + around * (len(found) - 1) < most * size[1]  # refined, to what is asked for
    assert len(list(par_strips((200_000, 300), count, PAR))) == 1


def test_rows_take_less_memory_than_windows():
    """Of the weights of all neighbours there are those of some rows."""
    height, width = 2000, 64
    maps, image = torch.rand(2, height, width), torch.rand(3, height, width)
    given = (lambda rows: maps[:, rows], lambda rows: image[:, rows], height, FEW)
    list(by_rows.spread_rows(*given))
    tracemalloc.start()
    for _ in by_rows.spread_rows(*given):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 16 * height * width / 3


def test_many_tags_do_not_make_windows_useless():
    rows, columns = next(iter(par_windows((6300, 9524), 81, PAR)))
    assert (rows.stop, columns.stop) == (512, 512)
