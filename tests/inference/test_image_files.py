from pathlib import Path

import pytest

from weclip.inference.image_files import collect_images
from weclip.system.errors import InputError


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.PNG", "notes.txt", "deep/c.jpeg", "deep/er/a.jpg", ".hidden/x.jpg"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (folder / "._a.jpg").touch()
    return folder


def collect(inputs):
    return collect_images(inputs).files


def outputs(pairs):
    return [output.as_posix() for _, output in pairs]


def test_file_keeps_only_its_name(photos):
    path = photos / "deep" / "c.jpeg"
    assert collect([path]) == [(path, Path("c.png"))]


def test_folder_keeps_sub_folders(photos):
    pairs = collect([photos])
    assert outputs(pairs) == ["a.png", "b.png", "deep/c.png", "deep/er/a.png"]
    assert [path.relative_to(photos).as_posix() for path, _ in pairs] == [
        "a.jpg",
        "b.PNG",
        "deep/c.jpeg",
        "deep/er/a.jpg",
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["a.png"]),
        ("**/*.jpg", ["a.png", "deep/er/a.png"]),
        ("*/c.*", ["deep/c.png"]),
        ("deep/*", ["c.png"]),
        ("*", ["a.png", "b.png"]),
        ("[ab].*", ["a.png", "b.png"]),
    ],
)
def test_pattern_keeps_the_path_below_its_fixed_part(photos, pattern, expected):
    assert outputs(collect([str(photos / pattern)])) == expected


def test_file_whose_name_looks_like_a_pattern(tmp_path):
    (tmp_path / "[1].jpg").touch()
    assert outputs(collect([tmp_path / "[1].jpg"])) == ["[1].png"]


def test_relative_inputs(photos, monkeypatch):
    monkeypatch.chdir(photos / "deep")
    assert outputs(collect(["../*.jpg"])) == ["a.png"]
    assert outputs(collect(["*.jpeg"])) == ["c.png"]
    assert outputs(collect(["."])) == ["c.png", "er/a.png"]


def test_image_named_twice_appears_once(photos):
    assert outputs(collect([photos / "a.jpg", photos / "*.jpg"])) == ["a.png"]


def test_two_images_for_one_output(photos):
    with pytest.raises(InputError, match=r"a\.jpg and .*er/a\.jpg would both write a\.png"):
        collect_images([photos / "a.jpg", photos / "deep" / "er" / "a.jpg"])
    (photos / "a.png").touch()
    with pytest.raises(InputError, match=r"would both write a\.png: rename one"):
        collect_images([photos])


def test_missing_input(photos):
    with pytest.raises(InputError, match=r"nowhere\.jpg does not exist"):
        collect_images([photos / "nowhere.jpg"])


def test_nothing_matched(photos, tmp_path):
    with pytest.raises(InputError, match=r"\*\.tif holds no image: looked for JPEG, PNG"):
        collect_images([str(photos / "*.tif")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no image"):
        collect_images([tmp_path / "empty"])
    with pytest.raises(InputError, match="no input was given"):
        collect_images([])


def test_not_an_image(photos):
    with pytest.raises(InputError, match=r"notes\.txt is not an image: allowed are JPEG, PNG"):
        collect_images([photos / "notes.txt"])


def test_output_cannot_leave_the_folder(photos):
    with pytest.raises(InputError, match=r"`\.\.` after a wildcard would leave"):
        collect_images([str(photos / "d*" / ".." / "*.jpg")])


def test_two_stars_inside_a_name(photos):
    with pytest.raises(InputError, match=r"a\*\*\.jpg: in a pattern `\*\*` stands alone"):
        collect_images([str(photos / "a**.jpg")])


def test_output_paths_stay_inside(photos):
    for _, output in collect([photos, str(photos / "deep" / "*")]):
        assert not output.is_absolute()
        assert ".." not in output.parts
