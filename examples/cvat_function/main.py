"""A function of CVAT (nuclio) that annotates images with a model as ONNX.

    weclip export --model runs/photos --out examples/cvat_function/model.onnx
    cd examples/cvat_function
    pip wheel --no-deps -w . ../..     # until weclip is on a registry
    python main.py                     # labels: put them into function.yaml, under `spec`
    nuctl deploy --project-name cvat --path . --platform local

In CVAT: Models, then Automatic annotation. WECLIP_SHAPES in function.yaml says what comes back:
`mask`, one for each class, or `polygon`, one for each part of a class.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

import weclip
from weclip.data.images.decoding import open_image, to_rgb

MODEL = Path(__file__).parent / "model.onnx"
MAX_BYTES = 32 * 2**20  # as in function.yaml
MAX_PIXELS = 50_000_000


def init_context(context: Any) -> None:
    """Load the model; nuclio calls this once for each worker."""
    context.user_data.model = weclip.load(MODEL)
    context.user_data.shapes = SHAPES[os.environ.get("WECLIP_SHAPES", "mask")]
    context.logger.info("the model is loaded")


def handler(context: Any, event: Any) -> Any:
    """Annotate an image: `{"image": base64, "threshold": 0..1}` -> a list of shapes."""
    try:
        image, threshold = request_of(event.body)
        found = context.user_data.model.predict(image)
    except weclip.InputError as error:
        return context.Response(
            body=str(error), headers={}, content_type="text/plain", status_code=400
        )
    shapes = [
        {"confidence": f"{each.confidence:.3f}", "label": each.name, **shape}
        for each in found.classes
        if each.id and each.confidence >= threshold
        for shape in context.user_data.shapes(found, each.id)
    ]
    return context.Response(
        body=json.dumps(shapes), headers={}, content_type="application/json", status_code=200
    )


def request_of(body: object) -> tuple[np.ndarray, float]:
    """The image (H, W, 3) of a request, and the least confidence of what is wanted.

    Raises:
        InputError: It is no such request, or its image cannot be read.
    """
    sent = body if isinstance(body, dict) else {}
    text = sent.get("image")
    if not isinstance(text, str) or len(text) > MAX_BYTES:
        raise weclip.InputError(f'send {{"image": base64}} of at most {MAX_BYTES} letters')
    try:
        content = base64.b64decode(text, validate=True)
        threshold = float(sent.get("threshold") or 0)
    except (TypeError, ValueError):
        raise weclip.InputError("image must be base64, and threshold a number") from None
    with open_image("image", content, max_pixels=MAX_PIXELS) as image:
        return np.asarray(to_rgb(image)), threshold


def mask(found: weclip.Segmentation, class_id: int) -> list[dict[str, Any]]:
    """All pixels of a class: 0 and 1 inside their box, row by row, then the box."""
    region = found.label_map == class_id
    top, bottom = np.flatnonzero(region.any(axis=1))[[0, -1]].tolist()
    left, right = np.flatnonzero(region.any(axis=0))[[0, -1]].tolist()
    inside = region[top : bottom + 1, left : right + 1].astype(int).ravel().tolist()
    return [{"type": "mask", "mask": [*inside, left, top, right, bottom]}]


def polygons(found: weclip.Segmentation, class_id: int) -> list[dict[str, Any]]:
    """The outline of each part of a class: x, y, x, y ..."""
    outlines = dict(found.polygons())[found.class_names[class_id]]
    return [{"type": "polygon", "points": corners.ravel().tolist()} for corners in outlines]


SHAPES = {"mask": mask, "polygon": polygons}


def labels() -> str:
    """What CVAT must know of the model's classes: the JSON of `spec` in function.yaml."""
    names = weclip.load(MODEL).class_names
    rows = [{"id": i, "name": name, "type": "any"} for i, name in enumerate(names) if i]
    return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]"


if __name__ == "__main__":
    print(labels())
