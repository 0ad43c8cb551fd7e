"""ONNX files of others, and devices, are refused in one line."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import weclip
from weclip.data.classes import load_classes
from weclip.inference.onnx.header import KEY, OnnxHeader, header_from
from weclip.inference.onnx.network import INPUT, OnnxNetwork
from weclip.system.errors import InputError
from weclip.system.provenance import versions

HEADER = OnnxHeader(
    load_classes("voc"), {}, {"flip": False}, {"bands": None}, 7, "logits", "float32", {}, "MIT"
)


def an_identity(path, **metadata):
    """A small ONNX file."""
    names, shape = (INPUT, "out"), ["b", 3, "h", "w"]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names]
    node = helper.make_node("Identity", [INPUT], ["out"])
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    helper.set_model_props(model, metadata)
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "an ONNX file, but not one that 'weclip export' wrote"),
        ("{", "header"),
        ('{"format": "weclip-onnx-9"}', "its format is 'weclip-onnx-9', not"),
        ('{"format": "weclip-onnx-1"}', "damaged ONNX model"),
        ("[1]", "damaged ONNX model"),
    ],
)
def test_headers_of_others_are_refused(tmp_path, header, said):
    path = tmp_path / "other.onnx"
    an_identity(path, **({} if header is None else {KEY: header}))
    with pytest.raises(InputError, match=said):
        weclip.load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"{}"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not an ONNX file that onnxruntime reads"):
        weclip.load(path)


def test_a_header_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "own.onnx"
    an_identity(path, **{KEY: HEADER.to_text()})
    network = OnnxNetwork(path, "cpu")
    assert network.header == HEADER
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    assert np.array_equal(network(image), image)


@pytest.mark.parametrize("key", ["classes", "backbones", "eval", "data", "step", "versions"])
@pytest.mark.parametrize("value", [None, "a text"])
def test_damaged_headers_are_one_line(key, value, tmp_path):
    document = json.loads(HEADER.to_text()) | {key: value}
    with pytest.raises(InputError, match=r"^\S+a\.onnx: [^\n]+$"):
        header_from({KEY: json.dumps(document)}, tmp_path / "a.onnx")


@pytest.fixture
def with_gpu(monkeypatch, tmp_path):
    """An onnxruntime that says it has a GPU; what sessions are asked for is kept."""
    asked, real = [], onnxruntime.InferenceSession

    def session(path, options, providers):
        asked.append(providers)
        return real(path, options, providers=["CPUExecutionProvider"])

    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    path = tmp_path / "own.onnx"
    an_identity(path, **{KEY: HEADER.to_text()})
    return path, asked


def test_a_gpu_has_its_number_and_is_not_replaced_in_silence(with_gpu):
    path, asked = with_gpu
    with pytest.raises(InputError, match="device cuda:1: onnxruntime cannot start it here"):
        OnnxNetwork(path, "cuda:1")
    assert asked == [[("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]]
    assert OnnxNetwork(path).device == "cpu"  # nothing was asked for


def test_versions_name_the_engine_that_computed():
    found = versions("onnxruntime", "cpu")
    assert found["onnxruntime"] == onnxruntime.__version__
    assert "torch" not in found
    assert found["device"].endswith("CPU")
