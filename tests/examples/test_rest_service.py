"""`examples/rest_service.py` answers, and refuses what it should in one line."""

import json
import sys
from io import BytesIO

import numpy as np
import pytest
from examples.rest_service import Service
from PIL import Image
from starlette.testclient import TestClient

from examples import rest_service

TOKEN = "of the test"
KNOWN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(model):
    service = Service(model, TOKEN, max_bytes=100_000, max_pixels=160 * 120)
    return TestClient(service.app(), headers=KNOWN)


def file_of(picture, kind="PNG", **values):
    buffer = BytesIO()
    picture.save(buffer, kind, **values)
    return buffer.getvalue()


def post(client, content, kind="image/png", **values):
    return client.post("/predict", content=content, headers={"Content-Type": kind}, **values)


def mask_in(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    with Image.open(BytesIO(answer.content)) as mask:
        assert mask.mode == "P"
        return np.asarray(mask)


def test_bytes_and_forms_give_the_label_map(client, model, picture):
    content = file_of(picture)
    form = client.post("/predict", files={"image": ("../../x.png", content, "image/png")})
    expected = model.predict(picture).label_map
    assert len(np.unique(expected)) == 3
    assert np.array_equal(mask_in(post(client, content)), expected)
    assert np.array_equal(mask_in(form), expected)


def test_polygons_are_json(client, model, picture):
    found = post(client, file_of(picture), params={"format": "polygons"}).json()
    assert (found["width"], found["height"]) == picture.size
    assert [each["name"] for each in found["classes"]] == ["background", "dog", "cat"]
    assert sum(each["share"] for each in found["classes"]) == pytest.approx(1)
    for name, parts in model.predict(picture).polygons():
        (each,) = (each for each in found["classes"] if each["name"] == name)
        assert each["polygons"] == [part.tolist() for part in parts]


def test_an_image_is_turned_as_its_exif_says(client, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    answer = post(client, file_of(picture, "JPEG", exif=exif), "image/jpeg")
    assert mask_in(answer).shape == (160, 120)


def test_only_health_needs_no_token(client, model):
    stranger = TestClient(client.app)
    assert stranger.get("/health").json() == {"status": "ok"}
    assert client.get("/classes").json() == {"classes": list(model.class_names)}
    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}):
        for method, path in (("GET", "/classes"), ("POST", "/predict")):
            answer = stranger.request(method, path, headers=header)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"


REFUSED = {
    "no image": (b"hello", "image/png", 415),
    "nothing": (b"", "image/png", 415),
    "cut off": (None, "image/png", 415),
    "another type": (b"{}", "application/json", 415),
    "curl without a type": (b"x", "application/x-www-form-urlencoded", 415),
    "a form without its border": (b"x", "multipart/form-data", 400),
    "a broken form": (b"x", "multipart/form-data; boundary=a", 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_one_line(client, picture, case):
    content, kind, status = REFUSED[case]
    answer = post(client, file_of(picture)[:100] if content is None else content, kind)
    assert answer.status_code == status
    assert 5 < len(answer.text) < 100
    assert "\n" not in answer.text


def test_forms_hold_one_image(client, picture):
    files = {"photo": ("a.png", file_of(picture))}
    assert client.post("/predict", files=files).status_code == 400
    files["image"] = ("b.png", file_of(picture))
    assert client.post("/predict", files=files).status_code == 400
    assert client.post("/predict", data={"image": "x"}, files={"y": b""}).status_code == 400


def test_an_unknown_format_is_refused(client, picture):
    answer = post(client, file_of(picture), params={"format": "svg"})
    assert (answer.status_code, answer.text) == (400, "format must be one of png, polygons")


def test_requests_and_images_have_a_largest_size(client, picture):
    def chunks():
        for _ in range(20):
            yield bytes(10_000)

    for content in (bytes(100_001), chunks()):
        answer = post(client, content)
        assert (answer.status_code, answer.text) == (413, "a request may have 100000 bytes")
    form = client.post("/predict", files={"image": ("a.png", bytes(100_000))})
    assert form.status_code == 413
    answer = post(client, file_of(picture.resize((161, 120))))
    assert answer.status_code == 413
    assert "161 x 120 pixels" in answer.text


@pytest.fixture
def started(monkeypatch, model_file):
    """Run `main`; what uvicorn, which is not installed here, is called with."""
    calls = []

    class Uvicorn:
        @staticmethod
        def run(app, **named):
            calls.append((app, named))

    def start(*words):
        monkeypatch.setitem(sys.modules, "uvicorn", Uvicorn)
        monkeypatch.setattr("sys.argv", ["rest_service.py", *map(str, words or [model_file])])
        rest_service.main()
        return calls[-1]

    return start


def test_it_listens_on_this_machine_only(started, monkeypatch, capsys):
    monkeypatch.setenv("WECLIP_TOKEN", TOKEN)
    app, named = started()
    assert named["host"] == "127.0.0.1"
    assert named["limit_concurrency"]
    assert TestClient(app, headers=KNOWN).get("/classes").status_code == 200
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("empty", [True, False])
def test_a_token_is_made_up_and_told(started, monkeypatch, capsys, empty):
    monkeypatch.delenv("WECLIP_TOKEN", raising=False)
    if empty:
        monkeypatch.setenv("WECLIP_TOKEN", "")
    app, _ = started()
    token = capsys.readouterr().out.strip().removeprefix("WECLIP_TOKEN=")
    assert len(token) > 30
    known = {"Authorization": f"Bearer {token}"}
    assert json.loads(TestClient(app, headers=known).get("/classes").text)
    assert TestClient(app, headers={"Authorization": "Bearer "}).get("/classes").status_code == 401


def test_no_model_is_one_line(started, tmp_path):
    with pytest.raises(SystemExit, match="no such model file"):
        started(tmp_path / "none.onnx")
