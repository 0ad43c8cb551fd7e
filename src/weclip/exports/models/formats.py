"""Formats of exported models: how each is written, and run again to be verified."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from weclip.exports.models.graph import FREE, Graph, in_silence, traced_image
from weclip.inference.onnx.header import KEY, OnnxHeader
from weclip.inference.onnx.network import INPUT, OnnxNetwork
from weclip.system.errors import InputError

Run = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Images (B, 3, H, W) float32 in [0, 255] -> the output."""

OPSET = 20
"""Of ONNX; its GELU is one operation."""


@dataclass(frozen=True)
class Format:
    """A format of exported models.

    Attributes:
        suffix: Of its files.
        needs: Packages that write and verify it.
        write: Writes a graph with its header.
        open: Opens a file to be run.
    """

    suffix: str
    needs: tuple[str, ...]
    write: Callable[[Graph, OnnxHeader, Path], None]
    open: Callable[[Path], Run]


def write_onnx(graph: Graph, header: OnnxHeader, path: Path) -> None:
    """Write an ONNX file; the header is among its metadata."""
    with in_silence():
        program = torch.onnx.export(
            graph,
            (traced_image(),),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[header.output],
            dynamic_shapes={INPUT: FREE},
        )
        assert program is not None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # which lines of which files of this machine made it
        program.model.metadata_props[KEY] = header.to_text()
        program.save(path, external_data=False)


def write_pt2(graph: Graph, header: OnnxHeader, path: Path) -> None:
    """Write a program of `torch.export`; the header is one of its extra files."""
    with in_silence():
        program = torch.export.export(
            graph, (traced_image(),), dynamic_shapes={INPUT: FREE}, strict=False
        )
        for module in program.graph_module.modules():
            for node in getattr(getattr(module, "graph", None), "nodes", ()):
                node.meta.pop("stack_trace", None)  # lines of files of this machine
        held = BytesIO()  # of a file, PyTorch wants another name than a temporary one
        torch.export.save(program, held, extra_files={KEY: header.to_text()})
    path.write_bytes(held.getvalue())


def open_pt2(path: Path) -> Run:
    """Open a program that `write_pt2` has just written."""
    with in_silence():
        module = torch.export.load(BytesIO(path.read_bytes())).module()

    def run(image: NDArray[np.float32]) -> NDArray[Any]:
        with torch.no_grad():
            output: NDArray[Any] = module(torch.from_numpy(image)).numpy()
        return output

    return run


FORMATS: Mapping[str, Format] = {
    "onnx": Format(
        ".onnx",
        ("onnx", "onnxscript", "onnxruntime"),
        write_onnx,
        lambda path: OnnxNetwork(path, "cpu"),
    ),
    "pt2": Format(".pt2", (), write_pt2, open_pt2),
}


def format_of(name: str) -> Format:
    """A format by its name; InputError if there is none."""
    if name not in FORMATS:
        raise InputError(
            f"--format {name}: there is none of this name; known: {', '.join(FORMATS)}"
        )
    return FORMATS[name]
