"""A model so small that one sees what it does: red is a cat, blue is a dog."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tests.configs import new_config

import weclip
from weclip.data.classes import parse_classes
from weclip.inference.onnx.header import KEY, LOGITS, OnnxHeader
from weclip.inference.onnx.network import INPUT

CLASSES = parse_classes({"classes": ["cat", "dog"]}, "test")
STRIDE = 8
SEEN = {"long_side": 96, "scales": [1.0], "flip": False}
HEADER = OnnxHeader(
    CLASSES, {}, {**asdict(new_config().eval), **SEEN}, {}, 1, LOGITS, "float32", {}, ""
)


def write_model(path: Path, header: OnnxHeader = HEADER) -> Path:
    """Logits of background, cat (red) and dog (blue), of the mean colours of patches."""
    colours = np.array([(0, 0, 0), (1, -1, -1), (-1, -1, 1)], np.float32) / STRIDE**2 / 25
    weights = np.broadcast_to(colours[..., None, None], (3, 3, STRIDE, STRIDE))
    bias = np.array([0, -4, -4], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", [INPUT, "weights", "bias"], [LOGITS], strides=[STRIDE, STRIDE])],
        "tiny",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["b", 3, "height", "width"])],
        [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [
            numpy_helper.from_array(weights.copy(), "weights"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {KEY: header.to_text()})
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model; do not change it."""
    return write_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def labels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that says it gives class ids."""
    folder = tmp_path_factory.mktemp("labels")
    return write_model(folder / "tiny.onnx", replace(HEADER, output="label_map"))


@pytest.fixture(scope="session")
def model(model_file: Path) -> weclip.SegmentationModel:
    return weclip.load(model_file)


@pytest.fixture
def picture() -> Image.Image:
    """A red square (cat) above a wider blue one (dog), on grey."""
    pixels = np.full((120, 160, 3), 90, np.uint8)
    pixels[10:50, 20:60] = (250, 10, 10)
    pixels[60:110, 40:140] = (10, 10, 250)
    return Image.fromarray(pixels)
