"""What the tools wrote themselves reads to the same tags; how it was made: fixtures/README.md."""

from pathlib import Path

import pytest
from tests.data.builders import write_image

from weclip.data.classes import ClassList
from weclip.data.tags.tags_file import read_tag_names, read_tags_file

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED = {"a": ("dog", "traffic light"), "b": ("cat",), "none": ()}
IMAGES = ("8b2c1f0e-a.jpg", "photos/b.jpg", "00c0ffee-none.jpg")
STUDIO = {
    f"label_studio_{kind}{form}": (form, images)
    for kind in ("choices", "shapes")
    for form in (".json", "_min.json", ".csv")
    for images in [IMAGES]
}
NOT_FINISHED = {"8b2c1f0e-todo.jpg", "8b2c1f0e-cancelled.jpg", "8b2c1f0e-predicted.jpg"}
DATA = ("data/a", "data/b", "data/none")
PLAIN = ("a.jpg", "b.jpg", "none.jpg")
FLOW = tuple(f"{n}_jpg.rf.{i}a1b2c3d4e5f.jpg" for i, n in enumerate(EXPECTED))
OPEN = {
    "cvat_datumaro.xml": PLAIN,
    "coco_datumaro.json": PLAIN,
    "fiftyone_multilabel.json": DATA,
    "fiftyone_names.json": DATA,
    "fiftyone_detections.json": DATA,
    "roboflow_annotations.coco.json": FLOW,
}
"""Files that cannot say that an image without tags is finished."""
CLOSED = {"hugging_face.csv": PLAIN, "hugging_face.jsonl": PLAIN, "roboflow_classes.csv": FLOW}


def tags_of(read, classes: ClassList) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.image, tuple(classes.names[i] for i in row.tags)) for row in read.rows]


def test_every_fixture_is_read_here():
    files = {path.name for path in FIXTURES.iterdir() if path.suffix in (".json", ".csv", ".xml")}
    files |= {path.name for path in FIXTURES.glob("*.jsonl")}
    assert files == {*STUDIO, *OPEN, *CLOSED, "cvat_project.xml"}


@pytest.mark.parametrize("name", [*OPEN, *CLOSED])
def test_same_tags(pets: ClassList, name: str) -> None:
    images = (OPEN | CLOSED)[name]
    read = read_tags_file(FIXTURES / name, pets, untagged="background")
    assert tags_of(read, pets) == [*zip(images, EXPECTED.values(), strict=True)]
    assert not read.left_out


@pytest.mark.parametrize("name", OPEN)
def test_an_image_without_tags_is_left_out(pets: ClassList, name: str) -> None:
    read = read_tags_file(FIXTURES / name, pets)
    assert tags_of(read, pets) == [*zip(OPEN[name], EXPECTED.values(), strict=True)][:2]
    assert [*read.left_out.values()] == [[OPEN[name][2]]]


@pytest.mark.parametrize("untagged", [None, "background"])
@pytest.mark.parametrize("name", STUDIO)
def test_label_studio(pets: ClassList, name: str, untagged: str | None) -> None:
    """Only finished tasks are pictures of background, whatever `untagged` says."""
    form, images = STUDIO[name]
    read = read_tags_file(FIXTURES / name, pets, untagged=untagged)
    assert tags_of(read, pets) == [*zip(images, EXPECTED.values(), strict=True)]
    left_out = [image for names in read.left_out.values() for image in names]
    assert {*left_out} == NOT_FINISHED - ({"8b2c1f0e-cancelled.jpg"} if form != ".json" else set())
    assert len(left_out) == len({*left_out})


@pytest.mark.parametrize("name", [*OPEN, *CLOSED, *STUDIO, "cvat_project.xml"])
def test_names(name: str) -> None:
    assert read_tag_names(FIXTURES / name) == ["cat", "dog", "traffic light"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("label_studio_choices.json", "Label Studio, choices 'animal'; 3 labels"),
        ("label_studio_choices_min.json", "Label Studio, choices 'animal'; 3 labels"),
        (
            "label_studio_shapes.json",
            "Label Studio, rectanglelabels 'box', brushlabels 'brush', ellipselabels 'ellipse', "
            "keypointlabels 'point', polygonlabels 'polygon' and taxonomy 'taxonomy' "
            "(data.tags_control takes one of them); 6 labels",
        ),
        ("cvat_project.xml", "CVAT, masks, cuboids, skeletons, ellipses and tags; 5 labels"),
        ("fiftyone_detections.json", "FiftyOne, detections; 3 labels"),
        ("coco_datumaro.json", "COCO, categories of annotations; 3 labels"),
        ("roboflow_classes.csv", "table, columns of 3 classes; 3 labels"),
        ("hugging_face.csv", "table, column 'labels'; 3 labels"),
        ("hugging_face.jsonl", "records, 'objects'; 3 labels"),
    ],
)
def test_source(pets: ClassList, name: str, source: str) -> None:
    assert read_tags_file(FIXTURES / name, pets).source == source


def test_one_control(pets: ClassList) -> None:
    read = read_tags_file(FIXTURES / "label_studio_shapes.json", pets, control="box")
    assert [row.tags for row in read.rows] == [(1,), (), ()]
    assert read.source == "Label Studio, rectanglelabels 'box'; 1 label"


def test_a_project_of_cvat(pets: ClassList) -> None:
    """The same name in two subsets; parts of a skeleton are no tags."""
    read = read_tags_file(FIXTURES / "cvat_project.xml", pets)
    assert tags_of(read, pets) == [
        ("images/Train/1.jpg", ("dog", "traffic light")),
        ("images/Validation/1.jpg", ("cat",)),
    ]
    assert [row.split for row in read.rows] == ["Train", "Validation"]
    assert [*read.left_out.values()] == [["2.jpg"]]


@pytest.mark.parametrize("folder", ["images/Validation", "Validation", "images", "."])
def test_images_of_cvat_are_found_where_it_puts_them(tmp_path, pets, folder) -> None:
    text = (FIXTURES / "cvat_project.xml").read_text()
    (tmp_path / "annotations.xml").write_text(text)
    write_image(tmp_path / folder / "2.jpg")
    read = read_tags_file(tmp_path / "annotations.xml", pets)
    found = "2.jpg" if folder == "." else f"{folder}/2.jpg"
    assert [*read.left_out.values()] == [[found]]
