"""`dataset.yaml`: where everything is, and every mistake in it as one line."""

from pathlib import Path

import pytest
from tests.data.builders import write_image, write_mask
from tests.data.reading import reader

from weclip.data.classes import ClassList
from weclip.data.layouts.dataset_yaml import describe
from weclip.data.layouts.split_ratio import SplitRatio
from weclip.system.errors import InputError

FOLDER = reader("folder")
read_split, read_masked_split = FOLDER.read_split, FOLDER.read_masked_split
unlisted_images = FOLDER.unlisted_images


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A description beside its folders: pictures/, drawn/ and lists/."""
    root = tmp_path / "set"
    for name in ("a/1.jpg", "2.jpg"):
        write_image(root / "pictures" / name)
    write_mask(root / "drawn" / "a" / "1.png", class_id=7)
    (root / "lists").mkdir()
    (root / "lists" / "t.csv").write_text("image,tags\na/1.jpg,cat\n2.jpg,dog\n")
    (root / "dataset.yaml").write_text(
        "images: pictures\ntags: lists/t.csv\nmasks: drawn\nmask_labels: {7: dog}\n"
    )
    return root


def test_by_convention(tmp_path: Path) -> None:
    place = describe(tmp_path)
    assert (place.origin, place.folder, place.images) == (tmp_path,) * 3
    assert (place.masks, place.reserved) == (tmp_path / "masks", "masks")
    assert (place.tags, place.classes, place.ratio) == (None, None, None)
    (tmp_path / "metadata.csv").write_text("")
    assert describe(str(tmp_path)).tags == tmp_path / "metadata.csv"
    (tmp_path / "tags.csv").write_text("")
    assert describe(tmp_path).tags == tmp_path / "tags.csv"


def test_an_empty_description_is_the_convention(tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").write_text("# nothing yet\nimages:\n")
    place = describe(tmp_path)
    assert place.origin == tmp_path / "dataset.yaml"
    assert (place.images, place.masks, place.tags) == (tmp_path, tmp_path / "masks", None)


def test_everything_is_where_the_file_says(described: Path, pets: ClassList) -> None:
    (described / "dataset.yaml").rename(described / "mine.yml")
    for root in (described / "mine.yml", str(described / "mine.yml")):
        samples = read_split(root, pets, "train")
        assert [sample.name for sample in samples] == ["a/1", "2"]
        assert samples[0].path == described / "pictures" / "a" / "1.jpg"
    (masked,) = read_masked_split(described / "mine.yml", pets, "train")
    assert masked.mask == described / "drawn" / "a" / "1.png"
    assert masked.labels.ids == ((7, 2),)
    assert unlisted_images(described / "mine.yml", pets) == []
    write_image(described / "pictures" / "new.jpg")
    assert unlisted_images(described / "mine.yml", pets) == ["new.jpg"]


def test_absolute_paths_and_links(described: Path, tmp_path: Path, pets: ClassList) -> None:
    (described / "pictures" / "inside").symlink_to(described / "drawn")
    for masks in (described / "drawn", described / "pictures" / "inside"):
        (described / "dataset.yaml").write_text(
            f"images: '{described / 'pictures'}'\ntags: '{described}/lists/t.csv'\n"
            f"masks: '{masks}'\n"
        )
        assert len(read_masked_split(described, pets, "train")) == 1
        assert describe(described).reserved == (None if masks.name == "drawn" else "inside")
        assert unlisted_images(described, pets) == []


def test_the_command_line_wins(described: Path) -> None:
    (described / "other.csv").write_text("")
    assert describe(described, "other.csv").tags == described / "other.csv"
    with pytest.raises(InputError, match=r"tags file 'none.csv' not found"):
        describe(described, "none.csv")


def test_tags_may_lie_with_the_images(described: Path) -> None:
    (described / "dataset.yaml").write_text("images: pictures\n")
    (described / "pictures" / "tags.csv").write_text("")
    assert describe(described).tags == described / "pictures" / "tags.csv"
    (described / "tags.jsonl").write_text("")
    assert describe(described).tags == described / "tags.jsonl"


def test_split(described: Path) -> None:
    (described / "dataset.yaml").write_text("split: {val: 0.2}")
    assert describe(described).ratio == SplitRatio(0.2, 0)
    (described / "dataset.yaml").write_text("split: {val: 0.2, seed: 3}")
    assert describe(described).ratio == SplitRatio(0.2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image: x", "unknown key 'image'; did you mean 'images'"),
        ("3: x", "unknown key '3'; known keys: images, tags, classes"),
        ("[a]", "must hold keys and values, such as"),
        ("images: {", "not valid YAML ("),
        (b"images: \xff", "cannot be read; save it as UTF-8"),
        ("images: 3", "images: 3 is no path; write a text"),
        ("images: ' '", "images: ' ' is no path"),
        ("images: none", "none: "),
        ("tags: none.csv", "none.csv not found"),
        ("tags: [a.csv]", "tags: ['a.csv'] is no path"),
        ("masks: .", "holds the images too; keep masks by themselves"),
        ("masks: ..", "holds the images too"),
        ("images: pictures\nmasks: ./pictures/", "holds the images too"),
        ("classes: 3", "classes: must be a list of names, the path of a class list, voc or coco"),
        ("classes: ''", "classes: must be a list of names"),
        ("classes: {cat: dog}", "classes: must be a list of names"),
        ("split: 0.2", "split: must be such as {val: 0.2, seed: 0}, not 0.2"),
        ("split: {seed: 1}", "split: must be such as {val: 0.2, seed: 0}, not {'seed': 1}"),
        ("split: {val: 0.2, sed: 1}", "split: unknown key 'sed'; did you mean 'seed'"),
        ("split: {val: 1}", "split: val: must be a share between 0 and 1, not 1"),
        ("split: {val: 1.0}", "split: val: must be a share between 0 and 1, not 1.0"),
        ("split: {val: .nan}", "split: val: must be a share between 0 and 1, not nan"),
        ("split: {val: '0.2'}", "split: val: must be a share between 0 and 1, not '0.2'"),
        ("split: {val: 0.2, seed: -1}", "split: seed: must be a whole number from 0 on, not -1"),
        ("split: {val: 0.2, seed: yes}", "split: seed: must be a whole number from 0 on, not true"),
    ],
)
def test_one_line_says_what_is_wrong(described: Path, text: str | bytes, message: str) -> None:
    file = described / "dataset.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"dataset.yaml: ") as error:
        describe(described)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_no_such_root(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.yaml: data root not found; give a folder of"):
        describe(tmp_path / "gone.yaml")
    (tmp_path / "photos.zip").write_bytes(b"")
    with pytest.raises(InputError, match=r"photos.zip: data root not found; it must be an exist"):
        describe(tmp_path / "photos.zip")


def test_labels_of_masks_are_checked(described: Path, pets: ClassList) -> None:
    (described / "dataset.yaml").write_text(
        "images: pictures\ntags: lists/t.csv\nmasks: drawn\nmask_labels: {7: dgo}\n"
    )
    with pytest.raises(InputError, match=r"dataset.yaml: mask_labels: 7: .* did you mean 'dog'"):
        read_masked_split(described, pets, "train")
