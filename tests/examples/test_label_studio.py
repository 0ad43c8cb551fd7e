"""`examples/label_studio_backend`: what a prediction becomes, and the backend where it installs."""

import logging

import numpy as np
import pytest
from examples.label_studio_backend.conversion import Folders, controls_of, results_of
from tests.exports.decoders import fill
from tests.test_layout import ROOT

import weclip

FOLDER = ROOT / "examples" / "label_studio_backend"
INTERFACE = """
<View>
  <Image name="photo" value="$picture"/>
  <Text name="title" value="$title"/>
  <BrushLabels name="brush" toName="photo"><Label value="cat"/><Label value="dog"/></BrushLabels>
  <PolygonLabels name="outline" toName="photo"><Label value="Hund" alias="dog"/></PolygonLabels>
  <Choices name="seen" toName="photo" choice="multiple">
    <Choice value="cat"/><Choice value="dog"/><Choice value="cow"/>
  </Choices>
  <Choices name="most" toName="photo"><Choice value="cat"/><Choice value="dog"/></Choices>
  <Choices name="words" toName="title"><Choice value="cat"/></Choices>
  <RectangleLabels name="box" toName="photo"><Label value="cat"/></RectangleLabels>
</View>
"""


def values(results, name):
    return [each["value"] for each in results if each["from_name"] == name]


def region_of(code, size):
    """Decode Label Studio's brush by its bits."""
    bits = iter("".join(f"{byte:08b}" for byte in code))

    def take(count):
        return int("".join(next(bits) for _ in range(count)), 2)

    total, word = take(32), take(5) + 1
    lengths, found = [take(4) + 1 for _ in range(4)], []
    while len(found) < total:
        if take(1):
            length = take(lengths[take(2)]) + 1
            found += [take(word)] * length
        else:
            found += [take(word) for _ in range(take(lengths[take(2)]) + 1)]
    return np.reshape(found, (*size, 4))[..., 3] > 0


def test_a_prediction_fills_every_kind_of_tag(model, picture):
    found = model.predict(picture)
    results = results_of(found, controls_of(INTERFACE))
    assert {each["from_name"] for each in results} == {"brush", "outline", "seen", "most"}
    assert {each["to_name"] for each in results} == {"photo"}
    assert {(e["original_width"], e["original_height"]) for e in results} == {picture.size}
    assert len({each["id"] for each in results}) == len(results)
    assert values(results, "seen") == [{"choices": ["dog", "cat"]}]
    assert values(results, "most") == [{"choices": ["dog"]}]
    for value in values(results, "brush"):
        (name,) = value["brushlabels"]
        expected = found.label_map == found.class_names.index(name)
        assert np.array_equal(region_of(value["rle"], found.size), expected)
    (outline,) = values(results, "outline")
    assert outline["polygonlabels"] == ["dog"]
    corners = np.array(outline["points"]) / 100 * picture.size
    assert np.array_equal(fill(corners, found.size), found.label_map == 2)


def test_an_image_with_nothing_in_it_gives_nothing(model):
    grey = np.full((50, 60, 3), 90, np.uint8)
    assert results_of(model.predict(grey), controls_of(INTERFACE)) == []


def test_an_interface_that_is_no_xml_is_refused():
    with pytest.raises(weclip.InputError, match="labelling interface"):
        controls_of("<View>")


@pytest.fixture
def folders(tmp_path, picture):
    for name in ("files/a b.png", "files/[ab].png", "files/sub/c.png", "up/1/d.png", "secret.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    (tmp_path / "files" / "link.png").symlink_to(tmp_path / "secret.png")
    return Folders(tmp_path / "files", tmp_path / "up")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/local-files/?d=a%20b.png", "files/a b.png"),
        ("/data/local-files/?d=sub/c.png", "files/sub/c.png"),
        ("http://host:8080/data/upload/1/d.png", "up/1/d.png"),
    ],
)
def test_images_lie_in_the_folders_of_label_studio(folders, tmp_path, address, name):
    assert folders.file_of(address) == tmp_path / name


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=../secret.png",
        "/data/local-files/?d=link.png",
        "/data/local-files/?d=sub",
        "/data/local-files/?d=*.png",
        "/data/local-files/?d=%00",
        "/data/local-files/?d=" + 5000 * "x",
        "/data/local-files/",
        "/data/upload/../../secret.png",
        "/data/upload/%2e%2e/secret.png",
        "/data/upload//etc/passwd",
        "http://elsewhere/a.png",
        "file:///etc/passwd",
        "s3://bucket/a.png",
        "None",
    ],
)
def test_no_other_file_is_read(folders, address):
    with pytest.raises(weclip.InputError, match=r"no such file in|neither") as caught:
        folders.file_of(address)
    assert len(str(caught.value)) < 400
    with pytest.raises(weclip.InputError):
        Folders().file_of("/data/upload/1/d.png")


@pytest.fixture
def backend(monkeypatch, model_file, folders):
    pytest.importorskip(
        "label_studio_ml", reason="label-studio-ml wants Flask 1; it has an environment of its own"
    )
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("WECLIP_MODEL", str(model_file))
    monkeypatch.setenv("LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT", str(folders.local_files))
    from examples.label_studio_backend import model
    from label_studio_ml.api import init_app

    return init_app(model_class=model.WeclipBackend).test_client()


def test_the_backend_answers_label_studio(backend, caplog):
    project = {"project": "1.1", "schema": INTERFACE, "hostname": "", "access_token": ""}
    assert backend.post("/setup", json=project).status_code == 200
    names = ["[ab].png", "gone.png"]
    tasks = [{"id": 1, "data": {"picture": f"/data/local-files/?d={name}"}} for name in names]
    request = {"tasks": tasks, "project": "1.1", "label_config": INTERFACE}
    with caplog.at_level(logging.WARNING):
        answer = backend.post("/predict", json=request)
    assert answer.status_code == 200, answer.json
    one, none = answer.json["results"]
    assert {each["type"] for each in one["result"]} == {"brushlabels", "polygonlabels", "choices"}
    assert 0.3 < one["score"] <= 1
    assert none["result"] == []
    assert "gone.png': no such file in" in caplog.text
