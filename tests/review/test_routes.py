"""What the page asks, what it gets, and what is saved then."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.review.conftest import CHANGES, NAMES, OWN, SIZE

from weclip.data.corrections.folder import read_corrections
from weclip.data.corrections.writing import Writer
from weclip.data.masks.mask_files import read_mask
from weclip.review.order import in_order, missing_orders

BINARY = {"content-type": "application/octet-stream"}


def get(client: TestClient, path: str):
    answer = client.get(path, headers=OWN)
    assert answer.status_code == 200, answer.text
    return answer


def change(client: TestClient, method: str, path: str, value, version: int):
    headers = CHANGES | {"if-match": f'"{version}"'}
    if isinstance(value, np.ndarray):
        return client.request(method, path, headers=headers | BINARY, content=value.tobytes())
    return client.request(method, path, headers=headers, json=value)


def mask_of(client: TestClient, place: int, what: str = "mask") -> np.ndarray:
    content = get(client, f"/api/images/{place}/{what}").content
    return np.frombuffer(content, np.uint8).reshape(SIZE)


def test_the_start_tells_names_classes_and_orders(client: TestClient):
    found = get(client, "/api/start").json()
    assert found["names"] == [*NAMES]
    assert [each["name"] for each in found["classes"]] == ["background", "dog", "cat"]
    assert found["missingOrders"] == {"differ": "give --second"}
    assert [*found["orders"]][:2] == ["differ", "doubt"]


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ("order=doubt", [2, 1, 0]),
        ("order=all", [0, 1, 2]),
        ("order=suspects", [0]),
        ("order=all&class=2", []),
        ("order=doubt&class=1", [2, 1, 0]),
    ],
)
def test_orders(client: TestClient, asked: str, places: list[int]):
    assert get(client, f"/api/queue?{asked}").json() == {"images": places}


def test_masks_that_differ_most_come_first(session):
    known = replace(session.reviewed, differ={NAMES[1]: 0.2, NAMES[2]: 0.7})
    assert in_order(known, "differ", {}, None) == [2, 1, 0]  # nobody knows it of the first
    assert missing_orders(replace(known, doubts={})) == {"suspects": "give --suspects"}


def test_pictures_are_jpegs_and_masks_are_ids(client: TestClient):
    for what in ("picture", "thumbnail"):
        assert get(client, f"/api/images/0/{what}").content[:3] == b"\xff\xd8\xff"
    assert set(np.unique(mask_of(client, 0))) == {0, 1}


def test_a_mask_is_saved_and_the_made_one_stays(client: TestClient, writer: Writer):
    new = np.full(SIZE, 2, np.uint8)
    new[0] = 255
    made = mask_of(client, 1)
    assert change(client, "PUT", "/api/images/1/mask", new, 0).json()["version"] == 1
    assert np.array_equal(mask_of(client, 1), new)
    assert np.array_equal(mask_of(client, 1, "made"), made)
    saved = read_corrections(writer.folder, writer.classes).of("beach/b")
    assert np.array_equal(read_mask(str(saved.mask)), new)
    assert (saved.decision, saved.version) == ("open", 1)


def test_tags_are_saved_and_a_class_is_added_for_one(client: TestClient, writer: Writer):
    added = change(client, "POST", "/api/classes", {"name": " owl "}, 0).json()
    assert added["classes"][3]["name"] == "owl"
    state = change(client, "PUT", "/api/images/0/tags", {"tags": [3, 1]}, 0).json()
    assert (state["tags"], state["decision"]) == ([1, 3], "open")
    renamed = change(client, "PUT", "/api/classes/1", {"name": "wolf"}, 1).json()
    assert renamed["classesVersion"] == 2
    assert (writer.folder / "tags.csv").read_text() == "image,tags\na.png,wolf;owl\n"
    assert get(client, "/api/queue?order=all&class=3").json() == {"images": [0]}


def test_what_is_accepted_is_what_is_there(client: TestClient, writer: Writer):
    state = change(client, "POST", "/api/images/1/decision", {"decision": "accept"}, 0).json()
    assert state["decision"] == "accept"
    saved = read_corrections(writer.folder, writer.classes).of("beach/b")
    assert saved.accepted
    assert saved.tags == (0,)
    assert np.array_equal(read_mask(str(saved.mask)), mask_of(client, 1, "made"))
    found = get(client, "/api/progress?since=0").json()
    assert (found["sequence"], found["counts"]["accept"]) == (1, 1)
    assert found["images"] == {"1": ["accept", 1]}


def test_the_second_tab_is_told_and_overwrites_nothing(client: TestClient, writer: Writer):
    one, two = np.full(SIZE, 1, np.uint8), np.full(SIZE, 2, np.uint8)
    assert change(client, "PUT", "/api/images/0/mask", one, 0).status_code == 200
    for path, value in {
        "PUT /api/images/0/mask": two,
        "PUT /api/images/0/tags": {"tags": []},
        "POST /api/images/0/decision": {"decision": "accept"},
    }.items():
        answer = change(client, *path.split(), value, 0)
        assert answer.status_code == 412
        assert answer.json()["now"]["version"] == 1
    assert np.array_equal(mask_of(client, 0), one)
    answer = change(client, "POST", "/api/classes", {"name": "owl"}, 7)
    assert (answer.status_code, answer.json()["now"]["classesVersion"]) == (412, 0)
    assert len((writer.folder / "log.jsonl").read_text().splitlines()) == 1


def test_a_disk_without_room_is_said_and_the_page_can_try_again(client, writer, monkeypatch):
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("weclip.data.corrections.log.os.fsync", full)
    answer = change(client, "PUT", "/api/images/0/tags", {"tags": []}, 0)
    assert answer.status_code == 507
    assert "No space left" in answer.json()["error"]
    monkeypatch.undo()
    assert change(client, "PUT", "/api/images/0/tags", {"tags": []}, 0).status_code == 200


def test_why_there_is_no_map_is_one_line(client: TestClient):
    answer = client.get("/api/images/0/cam/1", headers=OWN)
    assert (answer.status_code, answer.json()) == (404, {"error": "no CAMs here"})


def test_a_broken_image_is_one_line_and_the_others_go_on(client: TestClient, session):
    session.reviewed.items[0].image.path.write_bytes(b"no image")
    answer = client.get("/api/images/0", headers=OWN)
    assert answer.status_code == 422
    assert "a.png" in answer.json()["error"]
    assert get(client, "/api/images/1").json()["name"] == "beach/b"


def test_a_mask_of_another_image_is_said(client: TestClient, session):
    from weclip.data.masks.mask_files import save_mask

    save_mask(np.zeros((4, 4), np.uint8), session.reviewed.items[0].mask)
    answer = client.get("/api/images/0/mask", headers=OWN)
    assert "the mask has 4 x 4 pixels and the image 60 x 40" in answer.json()["error"]


def test_raw_masks_are_compressed(client: TestClient):
    with client.stream("GET", "/api/images/0/mask", headers=OWN) as answer:
        content = b"".join(answer.iter_raw())
    assert len(content) < SIZE[0] * SIZE[1]
    assert len(gzip.decompress(content)) == SIZE[0] * SIZE[1]


def test_every_file_of_the_page_is_served_and_asks_for_nothing_else(client: TestClient):
    page = get(client, "/").text
    for name in ("main.js", "style.css", "icon.svg", "review.js"):
        found = get(client, f"/page/{name}").text
        assert "https://" not in found
        assert "http://" not in found.replace("http://www.w3.org/2000/svg", "")
    assert "http" not in page
    assert json.dumps(page).count("<script") == 1
