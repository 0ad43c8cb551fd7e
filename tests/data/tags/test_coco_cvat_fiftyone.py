"""COCO, CVAT and FiftyOne: what is a tag, what is refused, where images are sought."""

import json

import pytest
from tests.data.builders import write_image

from weclip.data.tags.tags_file import read_tags_file
from weclip.system.errors import InputError

CATEGORIES = [{"id": 0, "name": "pets"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
SHAPES = "box polygon polyline points mask cuboid skeleton ellipse tag".split()


def coco(*ids: int, **change: object) -> str:
    annotations = [{"image_id": 1, "category_id": key} for key in ids]
    images = [{"id": 1, "file_name": "1.jpg"}]
    document = {"images": images, "categories": CATEGORIES, "annotations": annotations}
    return json.dumps(document | change)


def cvat(shapes: str, **attributes: str) -> str:
    attributes = {"name": "1.jpg"} | attributes
    text = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return f"<annotations><image {text}>{shapes}</image></annotations>"


def read(path, text, pets, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return read_tags_file(path, pets, **how)


def test_roboflow_s_category_of_the_project_is_no_class(tmp_path, pets):
    assert read(tmp_path / "_annotations.coco.json", coco(2, 1, 2), pets).rows[0].tags == (0, 1)
    with pytest.raises(InputError, match="image 1: unknown class 'pets'"):
        read(tmp_path / "t.json", coco(0), pets)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": [{"image_id": 1, "category_id": 9}]}, "id 9 is used but not defined"),
        ({"annotations": [{"image_id": 9, "category_id": 1}]}, "id 9 is used but not defined"),
        ({"annotations": [{"image_id": 1}]}, "'category_id' is missing"),
        ({"annotations": [{"image_id": 1, "segments_info": []}]}, "panoptic segments; give the"),
        ({"annotations": [], "categories": 3}, "is of the wrong type"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "'a' and 'b' have the"),
        ({"categories": [{"id": 1, "name": 3}]}, "'name' must be a text, not 3"),
        ({"images": [{"id": 1, "file_name": "1"}, {"id": 1, "file_name": "2"}]}, "the id 1; numb"),
        ({"images": [{"id": 1}]}, "'file_name' is missing"),
    ],
)
def test_coco_that_is_not_understood(tmp_path, pets, change, message):
    with pytest.raises(InputError) as error:
        read(tmp_path / "t.json", coco(1, **change), pets)
    assert message in str(error.value)


def test_captions_are_no_tags(tmp_path, pets):
    document = {"images": [], "annotations": [{"image_id": 1, "caption": "a dog"}]}
    with pytest.raises(InputError, match=r"t.json: captions; give the instances file"):
        read(tmp_path / "t.json", json.dumps(document), pets)


@pytest.mark.parametrize(
    ("file", "image"),
    [
        ("t.json", "1.jpg"),
        ("t.json", "images/1.jpg"),
        ("labels.json", "data/1.jpg"),
        ("instances_train2017.json", "train2017/1.jpg"),
        ("instances_Train.json", "images/Train/1.jpg"),
    ],
)
def test_images_of_coco(tmp_path, pets, file, image):
    write_image(tmp_path / image)
    assert read(tmp_path / file, coco(1), pets).rows[0].image == image


def test_a_path_of_another_machine(tmp_path, pets):
    write_image(tmp_path / "train" / "1.jpg")
    images = [{"id": 1, "file_name": "C:\\set\\train\\1.jpg"}]
    assert read(tmp_path / "t.json", coco(1, images=images), pets).rows[0].image == "train/1.jpg"


@pytest.mark.parametrize("file", ["/", "/1.jpg", "../1.jpg", "//", "."])
def test_a_path_out_of_the_folder_is_kept_for_the_layout_to_refuse(tmp_path, pets, file):
    images = [{"id": 1, "file_name": file}]
    assert read(tmp_path / "t.json", coco(1, images=images), pets).rows[0].image == file


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_cvat_is_a_tag(tmp_path, pets, shape):
    text = cvat(f'<{shape} label="dog"><attribute name="a">cat</attribute></{shape}>')
    text = text.replace("<attribute", '<points label="nose" outside="0"/><attribute')
    if shape != "skeleton":
        text = text.replace('<points label="nose" outside="0"/>', "")
    assert read(tmp_path / "t.xml", text, pets).rows[0].tags == (1,)


def test_an_object_that_has_left_the_image(tmp_path, pets):
    text = cvat('<box label="dog" outside="1"/><box label="cat" outside="0"/>')
    assert read(tmp_path / "t.xml", text, pets).rows[0].tags == (0,)


@pytest.mark.parametrize("subset", ["", "default"])
def test_a_subset_that_nobody_chose_is_none(tmp_path, pets, subset):
    text = cvat('<tag label="dog"/>', subset=subset)
    write_image(tmp_path / "images" / "default" / "1.jpg")
    row = read(tmp_path / "t.xml", text, pets).rows[0]
    assert (row.split, row.image) == (None, f"images/{subset}/1.jpg" if subset else "1.jpg")
    chosen = '</image><image name="2.jpg" subset="default"><tag label="dog"/></image><image'
    text = cvat('<tag label="dog"/>', subset="Train").replace("</image>", chosen[:-6], 1)
    assert [row.split for row in read(tmp_path / "t.xml", text, pets).rows] == ["Train", "default"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", coco(1)),
        ("t.xml", cvat('<tag label="dog"/>')),
        ("l.json", '{"labels": {"a": "dog"}}'),
    ],
)
def test_a_control_where_there_are_none(tmp_path, pets, name, text):
    with pytest.raises(InputError, match=r"data.tags_control=x, but .* has no controls"):
        read(tmp_path / name, text, pets, control="x")


@pytest.mark.parametrize("labels", ["dog", 0, {"label": "dog"}, ["dog"], [0], [{"label": 0}]])
def test_labels_of_fiftyone(tmp_path, pets, labels):
    text = json.dumps({"classes": ["dog"], "labels": {"a": labels, "b": None, "c": []}})
    found = read(tmp_path / "labels.json", text, pets)
    assert [(row.image, row.tags) for row in found.rows] == [("data/a", (1,))]
    assert [*found.left_out.values()] == [["data/b", "data/c"]]
    with pytest.raises(InputError, match="image 1: a label must be a name or a number, not true"):
        read(tmp_path / "labels.json", json.dumps({"labels": {"a": True}}), pets)


@pytest.mark.parametrize("image", ["data/x/a.jpg", "x/a.jpg"])
def test_images_of_fiftyone(tmp_path, pets, image):
    write_image(tmp_path / image)
    found = read(tmp_path / "labels.json", '{"labels": {"x/a": "dog"}}', pets)
    assert found.rows[0].image == image.removesuffix(".jpg")
