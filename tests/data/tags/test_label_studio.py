"""Label Studio: what counts as finished, which labels are tags, which file an address means."""

import json
from pathlib import Path

import pytest
from tests.data.builders import write_image

from weclip.data.classes import ClassList
from weclip.data.tags.tags_file import TagsFile, read_tag_names, read_tags_file
from weclip.system.errors import InputError

PETS = ClassList(("cat", "dog", "traffic light"), (("cat",), ("dog",), ("light",)), ("grass",))
BOX = {"x": 1, "y": 1, "width": 5, "height": 5}


def result(control: str, kind: str, *labels: object, **more: object) -> dict[str, object]:
    value = {} if kind in ("choices", "taxonomy", "labels") else BOX
    fields = {"from_name": control, "type": kind, "value": {**value, kind: list(labels)}}
    return fields | more


def task(*results: object, image: str = "a.jpg", **more: object) -> dict[str, object]:
    annotations = [{"was_cancelled": False, "result": list(results)}]
    return {"data": {"image": image}, "annotations": annotations} | more


def read(folder: Path, *tasks: object, name: str = "t.json", **how: str) -> TagsFile:
    (folder / name).write_text(json.dumps(list(tasks)))
    return read_tags_file(folder / name, PETS, **how)


def tags(folder: Path, *results: object, **how: str) -> tuple[int, ...]:
    return read(folder, task(*results), **how).rows[0].tags


@pytest.mark.parametrize(
    "kind",
    ["choices", "labels"]
    + [f"{k}labels" for k in "rectangle polygon brush keypoint ellipse bitmask vector new".split()],
)
def test_every_kind_of_label_is_a_tag(tmp_path, kind):
    assert tags(tmp_path, result("c", kind, "cat", "dog")) == (0, 1)


def test_a_text_is_one_label(tmp_path):
    assert tags(tmp_path, {"type": "choices", "value": {"choices": "traffic light"}}) == (2,)


def test_a_taxonomy_names_the_ends_of_its_paths(tmp_path):
    taxonomy = result("t", "taxonomy", ["animal", "dog"], ["cat"])
    assert tags(tmp_path, taxonomy) == (0, 1)
    assert tags(tmp_path, result("c", "choices", ["animal", "dog"], "cat")) == (0, 1)
    other = result("t", "taxonomy", ["toy", "dog"])
    with pytest.raises(
        InputError, match=r"task 1: the taxonomy 'animal/dog' and 'toy/dog' end alike"
    ):
        tags(tmp_path, taxonomy, other)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"annotations": []}, "not annotated"),
        ({"annotations": None}, "not annotated"),
        ({"annotations": [], "drafts": [{"result": []}]}, "only a draft"),
        ({"annotations": [], "predictions": [{"result": []}]}, "only predicted"),
        ({"annotations": [{"was_cancelled": True, "result": []}]}, "only cancelled annotations"),
        ({"annotations": [{"skipped": True, "result": []}]}, "only cancelled annotations"),
    ],
)
def test_an_unfinished_task_is_left_out(tmp_path, change, reason):
    done = task(result("c", "choices", "dog"))
    found = read(tmp_path, done, task(image="b.jpg") | change, untagged="background")
    assert [row.image for row in found.rows] == ["a.jpg"]
    assert found.left_out == {reason: ["b.jpg"]}
    with pytest.raises(InputError, match=f"no image in it can be used: 1 {reason}"):
        read(tmp_path, task() | change)


def test_a_task_without_annotations_and_old_names_of_keys(tmp_path):
    bare = {"data": {"image": "b.jpg"}, "predictions": [{"result": []}]}
    old = {"data": {"image": "c.jpg"}, "completions": [{"result": [result("c", "choices", "cat")]}]}
    found = read(tmp_path, bare, old)
    assert [(row.image, row.tags) for row in found.rows] == [("c.jpg", (0,))]
    assert found.left_out == {"only predicted": ["b.jpg"]}


def test_finished_without_labels_is_background(tmp_path):
    found = read(tmp_path, task(image="b.jpg"), task(result("c", "choices", "dog")))
    assert [(row.image, row.tags) for row in found.rows] == [("b.jpg", ()), ("a.jpg", (1,))]


def test_all_annotators_count_and_cancelled_ones_do_not(tmp_path):
    def done(name: str, cancelled: bool) -> dict[str, object]:
        return {"was_cancelled": cancelled, "result": [result("c", "choices", name)]}

    annotations = [done("cat", False), done("dog", False), done("traffic light", True)]
    assert read(tmp_path, task(annotations=annotations)).rows[0].tags == (0, 1)


def test_a_region_that_nothing_names_is_no_background(tmp_path):
    nameless = {"from_name": "b", "type": "rectangle", "id": "r", "value": BOX}
    other = task(result("c", "choices", "dog"), image="b.jpg")
    assert read(tmp_path, task(nameless), other).left_out == {"regions without a label": ["a.jpg"]}
    named = result("c", "choices", "cat", id="r")
    assert tags(tmp_path, nameless, named) == (0,)


def test_several_controls(tmp_path):
    both = (result("animal", "choices", "dog"), result("box", "rectanglelabels", "cat"))
    found = read(tmp_path, task(*both))
    assert found.rows[0].tags == (0, 1)
    assert found.source == (
        "Label Studio, choices 'animal' and rectanglelabels 'box' (data.tags_control takes one of "
        "them); 2 labels"
    )
    assert tags(tmp_path, *both, control="box") == (0,)
    with pytest.raises(InputError, match=r"tags_control=bx: no such control; .* 'animal', 'box'"):
        tags(tmp_path, *both, control="bx")
    quality = result("quality", "choices", "good")
    with pytest.raises(InputError, match=r"unknown class 'good'; .*; data.tags_control takes one"):
        tags(tmp_path, both[0], quality)
    assert tags(tmp_path, both[0], quality, control="animal") == (1,)


def test_names_are_those_of_the_chosen_control(tmp_path):
    results = result("animal", "choices", "zebra"), result("quality", "choices", "good")
    (tmp_path / "t.json").write_text(json.dumps([task(*results)]))
    assert read_tag_names(tmp_path / "t.json", control="animal") == ["zebra"]
    assert read_tag_names(tmp_path / "t.json") == ["good", "zebra"]


def test_what_is_told_about_a_labelled_region_is_no_tag(tmp_path):
    box = result("box", "rectanglelabels", "dog", id="r")
    more = result("hidden", "choices", "yes", id="r")
    found = read(tmp_path, task(box, more))
    assert found.rows[0].tags == (1,)
    assert found.source == (
        "Label Studio, rectanglelabels 'box', without what 'hidden' tells about regions; 1 label"
    )
    kind = result("kind", "choices", "cat", id="r")
    assert tags(tmp_path, box, kind, control="kind") == (0,)


def test_other_results_are_no_labels(tmp_path):
    text = {"from_name": "t", "type": "textarea", "value": {"text": ["a dog"]}}
    rating = {"from_name": "r", "type": "rating", "value": {"rating": 3}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    assert tags(tmp_path, text, rating, relation, result("c", "choices", "dog")) == (1,)
    with pytest.raises(InputError, match=r"no labels in it, only rating and textarea; tags need"):
        tags(tmp_path, text, rating)


@pytest.mark.parametrize("labels", [[3], [None], {"a": 1}, [["dog", 3]], [[]], 3])
def test_labels_that_are_no_names(tmp_path, labels):
    bad = {"type": "choices", "value": {"choices": labels}}
    with pytest.raises(InputError, match=r"task 1: 'choices' must be a list of names, not"):
        tags(tmp_path, bad)


def test_pages_are_images(tmp_path):
    pages = {"data": {"pages": ["/data/upload/1/8b2c1f0e-1.jpg", "2.jpg", "3.jpg"]}}
    on = [
        result("b", "rectanglelabels", name, item_index=i) for i, name in enumerate(["cat", "dog"])
    ]
    found = read(tmp_path, task(*on) | pages)
    assert [(row.image, row.tags, row.line) for row in found.rows] == [
        ("8b2c1f0e-1.jpg", (0,), 1),
        ("2.jpg", (1,), 2),
        ("3.jpg", (), 3),
    ]
    with pytest.raises(InputError, match=r"task 1: 'c' labels 3 images together"):
        read(tmp_path, task(result("c", "choices", "dog")) | pages)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no image in it; its keys are ;"),
        ({"text": "hello"}, "no image in it; its keys are 'text'"),
        ({"one": "1.jpg", "two": "2.jpg"}, "the keys 'one', 'two' may all be the image"),
        ({"image": ""}, "no image in it"),
        ({"image": "data:image/png;base64,AAAA"}, "the task holds the image itself"),
        ({"image": "http://[::1/x.png"}, "Invalid IPv6 URL"),
        ({"image": "/data/local-files/?d="}, "names no file"),
    ],
)
def test_tasks_without_one_image(tmp_path, data, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, task() | {"data": data})
    assert message in str(error.value)
    assert "t.json, task 1" in str(error.value)


def test_an_image_under_another_key(tmp_path):
    found = read(tmp_path, task(result("c", "choices", "dog")) | {"data": {"photo": "x/1.png"}})
    assert found.rows[0].image == "x/1.png"


@pytest.mark.parametrize(
    ("address", "files", "image"),
    [
        ("/data/upload/1/8b2c1f0e-1.jpg", ["1.jpg"], "1.jpg"),
        ("/data/upload/1/8b2c1f0e-1.jpg", ["1.jpg", "8b2c1f0e-1.jpg"], "8b2c1f0e-1.jpg"),
        ("/data/upload/1/8b2c1f0e-1.jpg", [], "8b2c1f0e-1.jpg"),
        ("/data/upload/1/8b2c1f0e-1.jpg", ["b2c1f0e-1.jpg"], "8b2c1f0e-1.jpg"),
        ("/data/upload/1/8b2c1f0g-1.jpg", ["1.jpg"], "8b2c1f0g-1.jpg"),
        ("/data/upload/1/8b2c1f0e-8b2c1f0e-1.jpg", ["8b2c1f0e-1.jpg", "1.jpg"], "8b2c1f0e-1.jpg"),
        ("/data/local-files/?d=photos/beach/1.jpg", ["beach/1.jpg", "1.jpg"], "beach/1.jpg"),
        ("/data/local-files/?d=a%20b%231.jpg", ["a b#1.jpg"], "a b#1.jpg"),
        ("/data/local-files/?d=a#1.jpg", ["a#1.jpg"], "a#1.jpg"),
        ("/data/local-files/?d=a+1.jpg", ["a+1.jpg"], "a+1.jpg"),
        ("/data/local-files/?d=a+1.jpg", ["a 1.jpg"], "a 1.jpg"),
        ("/data/local-files/?d=photos\\1.jpg", ["photos/1.jpg"], "photos/1.jpg"),
        ("s3://bucket/set/beach/1.jpg", ["beach/1.jpg"], "beach/1.jpg"),
        ("https://example.org/p/1.jpg?X-Amz=1", ["1.jpg"], "1.jpg"),
        ("https://example.org/p/1.jpg?X-Amz=1", [], "p/1.jpg"),
        ("C:\\photos\\1.jpg", ["1.jpg"], "1.jpg"),
        ("beach/1#2?.jpg", ["beach/1#2?.jpg"], "beach/1#2?.jpg"),
    ],
)
def test_the_file_that_an_address_means(tmp_path, address, files, image):
    for file in files:
        write_image(tmp_path / file)
    assert read(tmp_path, task(image=address)).rows[0].image == image


def test_images_are_sought_in_their_folder(tmp_path):
    write_image(tmp_path / "photos" / "1.jpg")
    upload = task(image="/data/upload/1/8b2c1f0e-1.jpg")
    assert read(tmp_path, upload, images=tmp_path / "photos").rows[0].image == "1.jpg"


def test_two_tasks_that_mean_one_file_are_refused(tmp_path):
    write_image(tmp_path / "1.jpg")
    tasks = [task(image=f"s3://bucket/{folder}/1.jpg") for folder in ("a", "b")]
    with pytest.raises(InputError, match=r"image 2: image '1.jpg' is already on image 1"):
        read(tmp_path, *tasks)


def test_a_task_by_itself(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(task(result("c", "choices", "dog"))))
    assert read_tags_file(tmp_path / "t.json", PETS).rows[0].tags == (1,)


def row(**fields: object) -> dict[str, object]:
    return {"image": "a.jpg", "id": 1, "annotation_id": 1, "annotator": 1, "lead_time": 2} | fields


def test_short_rows(tmp_path):
    box = [{**BOX, "rectanglelabels": ["dog"]}]
    found = read(tmp_path, row(box=box), row(image="b.jpg"), row(image="c.jpg", annotation_id=None))
    assert [(r.image, r.tags) for r in found.rows] == [("a.jpg", (1,)), ("b.jpg", ())]
    assert found.left_out == {"not annotated": ["c.jpg"]}
    assert read(tmp_path, row(c="dog"), row(c={"choices": ["cat"]})).rows[0].tags == (0, 1)
    assert read(tmp_path, row(c=["dog", "cat"])).rows[0].tags == (0, 1)
    assert read(tmp_path, row(t=[{"taxonomy": [["a", "dog"]]}])).rows[0].tags == (1,)
    nameless = read(tmp_path, row(box=[BOX]), row(image="b.jpg", box=box))
    assert nameless.left_out == {"regions without a label": ["a.jpg"]}


def test_short_rows_that_could_be_labels_or_texts(tmp_path):
    both = row(animal="dog", note="good")
    assert read(tmp_path, both).rows[0].tags == (1,)  # the class list knows one of them
    assert (
        read(tmp_path, both, control="animal").source == "Label Studio, choices 'animal'; 1 label"
    )
    with pytest.raises(InputError, match=r"columns 'animal', 'note' may all be labels, or texts"):
        read_tag_names(tmp_path / "t.json")
    assert read_tag_names(tmp_path / "t.json", control="note") == ["good"]
    with pytest.raises(InputError, match=r"tags_control=x: no such control; there are 'animal'"):
        read(tmp_path, both, control="x")
    boxed = row(box=[{**BOX, "rectanglelabels": ["dog"]}], caption="a dog")
    assert read(tmp_path, boxed).rows[0].tags == (1,)
    with pytest.raises(InputError, match=r"columns 'box', 'caption' may all be labels"):
        read_tag_names(tmp_path / "t.json")


def test_a_column_of_data_with_the_name_of_a_control(tmp_path):
    (tmp_path / "t.csv").write_text(
        "_data_image,annotation_id,annotator,image,lead_time\na.jpg,1,1,dog,2\n"
    )
    found = read_tags_file(tmp_path / "t.csv", PETS)
    assert [(r.image, r.tags) for r in found.rows] == [("a.jpg", (1,))]
