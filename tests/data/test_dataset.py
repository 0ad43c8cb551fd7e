import shutil
import sys
from pathlib import Path

import pytest
from tests.data.builders import write_image, write_mask

from weclip.data.classes import ClassList, load_classes
from weclip.data.dataset import LAYOUTS, open_dataset
from weclip.system.errors import InputError

CASES = [
    ("voc", "train_aug", None, ["SegmentationClass", "SegmentationClassAug"]),
    ("coco", "val", None, ["SegmentationClass"]),
    ("folder", "train", "tags.csv", ["masks"]),
]

_watched: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watched is not None and event in ("open", "os.listdir", "os.scandir"):
        _watched.append(str(arguments[0]))


sys.addaudithook(_watch)


@pytest.fixture
def sets(voc_root: Path, coco_root: Path, folder_root: Path) -> dict[str, Path]:
    shutil.copytree(voc_root / "SegmentationClass", voc_root / "SegmentationClassAug")
    return {"voc": voc_root, "coco": coco_root, "folder": folder_root}


@pytest.fixture
def lists(voc_classes: ClassList, pets: ClassList) -> dict[str, ClassList]:
    return {"voc": voc_classes, "coco": pets, "folder": pets}


@pytest.mark.parametrize(("layout", "split", "tags_file", "mask_folders"), CASES)
def test_training_never_touches_a_mask_folder(
    sets: dict[str, Path],
    lists: dict[str, ClassList],
    layout: str,
    split: str,
    tags_file: str | None,
    mask_folders: list[str],
) -> None:
    global _watched
    root = sets[layout]
    dataset = open_dataset(layout, root, classes=lists[layout], tags_file=tags_file)
    _watched = touched = []
    try:
        with_masks = dataset.read_split(split)
    finally:
        _watched = None
    assert any(str(root) in path for path in touched)  # the watch works
    assert not [path for path in touched for folder in mask_folders if folder in path]

    for folder in mask_folders:
        shutil.rmtree(root / folder)
    assert dataset.read_split(split) == with_masks
    with pytest.raises(InputError, match="mask folder not found"):
        dataset.read_masked_split(split)


@pytest.mark.parametrize(("layout", "split"), [("voc", "val"), ("coco", "val"), ("folder", "val")])
def test_masked_split_matches_split(
    sets: dict[str, Path], lists: dict[str, ClassList], layout: str, split: str
) -> None:
    tags_file = "tags.csv" if layout == "folder" else None
    given = {"classes": lists[layout], "tags_file": tags_file}
    tagged = open_dataset(layout, sets[layout], **given).read_split(split)
    masked = open_dataset(layout, str(sets[layout]), **given).read_masked_split(split)
    assert {(s.name, s.path, s.tags) for s in masked} <= {(s.name, s.path, s.tags) for s in tagged}
    assert all(s.mask.is_file() for s in masked)


def test_unknown_format(pets: ClassList) -> None:
    assert set(LAYOUTS) == {"voc", "coco", "folder"}
    with pytest.raises(InputError, match=r"data.format: unknown format 'VOC2'; known: voc, coco, "):
        open_dataset("VOC2", ".", classes=pets)
    with pytest.raises(InputError, match=r"did you mean 'coco'\?"):
        open_dataset("cocoo", ".", classes=pets)


def test_published_layouts_have_no_list_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data.classes is null, .* give data.classes=coco, or"):
        open_dataset("coco", tmp_path)
    assert open_dataset("voc", tmp_path, classes="voc").classes.num_classes == 21


def test_faithful_prompts(tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").write_text("classes: coco")
    assert ("sknowboard",) in open_dataset("folder", tmp_path, faithful=True).classes.prompts
    assert ("snowboard",) in open_dataset("folder", tmp_path).classes.prompts


@pytest.fixture
def sorted_images(tmp_path: Path) -> Path:
    """Folders of classes and nothing else: hot_dog (2), cat (1), background (1), masks, junk."""
    root = tmp_path / "sorted"
    for name in ("hot_dog/1.jpg", "hot_dog/2.jpg", "cat/1.jpg", "background/1.jpg"):
        write_image(root / name)
    write_mask(root / "masks" / "hot_dog" / "1.png")
    write_mask(root / "masks" / "1.png")
    write_image(root / ".hidden" / "1.jpg")
    (root / "empty").mkdir()
    return root


def test_classes_from_folders(sorted_images: Path) -> None:
    dataset = open_dataset("folder", sorted_images)
    assert dataset.classes.names == ("cat", "hot_dog")
    assert dataset.classes.prompts == (("cat",), ("hot dog",))
    assert dataset.classes.background_words == load_classes("voc").background_words
    assert dataset.understood("train", "train") == [
        f"{sorted_images}: 4 images in train (1 without tags), 4 images in train (1 with masks); "
        f"tags from the folders in {sorted_images}; masks from {sorted_images}/masks",
        f"2 classes, from the folders in {sorted_images}: cat, hot_dog",
    ]
    assert {sample.name: sample.tags for sample in dataset.read_split("train")} == {
        "cat/1": (0,),
        "hot_dog/1": (1,),
        "hot_dog/2": (1,),
        "background/1": (),
    }
    (masked,) = dataset.read_masked_split("train")
    assert masked.name == "hot_dog/1"


@pytest.mark.parametrize("folder", ["masks", "cat masks"])
def test_guessing_classes_never_touches_a_mask_folder(sorted_images: Path, folder: str) -> None:
    global _watched
    (sorted_images / "masks").rename(sorted_images / folder)
    (sorted_images / "dataset.yaml").write_text(f"masks: {folder}" if " " in folder else "")
    _watched = touched = []
    try:
        open_dataset("folder", sorted_images).read_split("train")
    finally:
        _watched = None
    assert any("hot_dog" in path for path in touched)
    inside = [path for path in touched if path.startswith(str(sorted_images))]
    assert not [path for path in inside if "masks" in path]  # the checkout may be named so


def test_classes_from_folders_in_splits(sorted_images: Path, tmp_path: Path) -> None:
    root = tmp_path / "splits"
    shutil.copytree(sorted_images, root / "train")
    write_image(root / "val" / "dog" / "1.jpg")
    write_image(root / "val" / "background" / "1.jpg")
    shutil.rmtree(root / "train" / "masks")
    dataset = open_dataset("folder", root)
    assert dataset.classes.names == ("cat", "dog", "hot_dog")
    assert [(s.name, s.tags) for s in dataset.read_split("val")] == [
        ("val/dog/1", (1,)),
        ("val/background/1", ()),
    ]
    with pytest.raises(InputError, match="no split 'test'; available: train, val"):
        dataset.read_split("test")
    (root / "dataset.yaml").write_text("split: {val: 0.5}")
    with pytest.raises(InputError, match=r"split: train/cat/1.jpg is in split 'train' by the"):
        open_dataset("folder", root).read_split("train")


def test_a_class_named_train(tmp_path: Path) -> None:
    for name in ("train/1.jpg", "bus/1.jpg"):
        write_image(tmp_path / name)
    with pytest.raises(InputError, match=r"'train' is the name of a split, but .* folder 'bus'"):
        open_dataset("folder", tmp_path)
    dataset = open_dataset("folder", tmp_path, classes="voc")
    assert [(s.name, s.tags) for s in dataset.read_split("train")] == [
        ("bus/1", (5,)),
        ("train/1", (18,)),
    ]
    write_image(tmp_path / "val" / "1.jpg")
    with pytest.raises(InputError, match=r"'train' may be a split or the class"):
        open_dataset("folder", tmp_path, classes="voc").read_split("train")
    write_image(tmp_path / "train" / "bus" / "2.jpg")
    dataset = open_dataset("folder", tmp_path, classes="voc")
    assert [s.name for s in dataset.read_split("train")] == ["train/bus/2"]


def test_nothing_to_guess_from(tmp_path: Path, voc_root: Path) -> None:
    write_image(tmp_path / "photos" / "1.jpg")
    with pytest.raises(InputError, match=r"photos: no tags; give data.tags_file, .* dataset.yaml"):
        open_dataset("folder", tmp_path / "photos")
    with pytest.raises(InputError, match=r"looks like a VOC or COCO data set; use data.format=voc"):
        open_dataset("folder", voc_root)
    (tmp_path / "photos" / "cat").mkdir()
    with pytest.raises(InputError, match=r"photos: no tags; give data.tags_file"):
        open_dataset("folder", tmp_path / "photos", classes="voc").read_split("train")


def test_classes_from_tags(folder_root: Path) -> None:
    dataset = open_dataset("folder", folder_root)
    assert dataset.classes.names == ("cat", "dog")
    assert dataset.guessed
    assert dataset.source == f"the tags in {folder_root / 'tags.csv'}"
    (folder_root / "other.csv").write_text("image,tags\n3.jpg,zebra\n")
    assert open_dataset("folder", folder_root, tags_file="other.csv").classes.names == ("zebra",)
    many = "".join(f"{i}.jpg,c{i:02}\n" for i in range(20))
    (folder_root / "other.csv").write_text("image,tags\n" + many)
    _, note, *_ = open_dataset("folder", folder_root, tags_file="other.csv").understood(None, None)
    assert note.endswith(", c10, c11 and 8 more")


def test_which_class_list_wins(folder_root: Path, pets: ClassList) -> None:
    def names() -> tuple[str, ...]:
        dataset = open_dataset("folder", folder_root)
        assert not dataset.guessed
        return dataset.classes.names

    (folder_root / "classes.yaml").write_text("classes: [dog, cat]")
    assert names() == ("dog", "cat")
    (folder_root / "mine.yaml").write_text("classes: [cow]\nbackground_words: [grass]")
    (folder_root / "dataset.yaml").write_text("classes: mine.yaml")
    assert names() == ("cow",)
    assert open_dataset("folder", folder_root).classes.background_words == ("grass",)
    (folder_root / "dataset.yaml").write_text("classes: mine.yaml\nbackground_words: [mud]")
    assert open_dataset("folder", folder_root).classes.background_words == ("mud",)
    (folder_root / "dataset.yaml").write_text(f"classes: '{folder_root}/mine.yaml'")
    assert names() == ("cow",)
    (folder_root / "dataset.yaml").write_text("classes: [cat, {name: dog, prompt: hound}]")
    assert names() == ("cat", "dog")
    (folder_root / "dataset.yaml").write_text("classes: voc")
    assert names() == load_classes("voc").names
    given = open_dataset("folder", folder_root, classes="coco")
    assert given.classes == load_classes("coco")
    assert open_dataset("folder", folder_root, classes=pets).classes is pets


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: vocc", "dataset.yaml: classes: 'vocc' is neither a file in .* nor one of voc"),
        ("classes: vocc", r"did you mean 'voc'\?"),
        ("classes: []", "dataset.yaml: 'classes' must be a list with at least one item"),
        ("classes: [3]", "dataset.yaml: class 1: expected a name"),
        ("background_words: sky", "tags.csv: 'background_words' must be a list"),
        ("classes: voc\nbackground_words: [3]", "dataset.yaml: background word 1: 3 is not a text"),
    ],
)
def test_bad_classes_in_a_description(folder_root: Path, text: str, message: str) -> None:
    (folder_root / "dataset.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        open_dataset("folder", folder_root)


@pytest.mark.parametrize("by_folders", [False, True])
def test_a_split_ratio(tmp_path: Path, by_folders: bool) -> None:
    names = [f"{'cat' if i % 3 else 'dog'}/{i}" for i in range(23)]
    for name in names:
        write_image(tmp_path / f"{name}.jpg", size=(2, 2))
    (tmp_path / "dataset.yaml").write_text("split: {val: 0.3, seed: 5}")
    if not by_folders:
        rows = "".join(f"{name}.jpg,{name.split('/')[0]}\n" for name in names)
        (tmp_path / "tags.csv").write_text("image,tags\n" + rows)
    dataset = open_dataset("folder", tmp_path)
    train, val = (dataset.read_split(split) for split in ("train", "val"))
    assert len(val) == 7
    assert {s.name for s in train} | {s.name for s in val} == set(names)
    assert not {s.name for s in train} & {s.name for s in val}
    assert open_dataset("folder", tmp_path).read_split("val") == val
    assert all(s.tags == ((0,) if s.name.startswith("cat") else (1,)) for s in train + val)
    with pytest.raises(InputError, match=r"dataset.yaml: no split 'test'; available: train, val"):
        dataset.read_split("test")


def test_a_split_ratio_and_a_column(folder_root: Path) -> None:
    (folder_root / "dataset.yaml").write_text("split: {val: 0.3}")
    with pytest.raises(InputError, match=r"split: x/1.jpg is in split 'train' by the column"):
        open_dataset("folder", folder_root).read_split("train")
    (folder_root / "tags.csv").write_text("image,tags\n3.jpg,dog\n")
    with pytest.raises(InputError, match="split: one image cannot be split; leave 'split' out"):
        open_dataset("folder", folder_root).read_split("val")
