"""Predict with a model as ONNX, without weclip: this file and three packages are all it needs.

    weclip export --model runs/photos --out photos.onnx
    pip install numpy onnxruntime pillow
    python onnx_predict.py photos.onnx dog.jpg dog.png

The mask is a palette PNG of class ids. Weclip resizes without smoothing, as PyTorch does; Pillow
smooths what it makes smaller: 99.7 % of the pixels keep their class on the demo's scenes. And one
scale is taken, not mirrored: 98.3 % where the model takes two and flips (docs/examples.md).
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

BILINEAR = Image.Resampling.BILINEAR
SMALLEST_SIDE = 32  # one patch of the largest kind


def predict(model: str, image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The class ids of an RGB image, as a palette image of its size, and their names."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    header = json.loads(session.get_modelmeta().custom_metadata_map.get("weclip", "{}"))
    if header.get("output") != "logits":
        sys.exit(f"{model}: give a file of weclip export --output logits")
    longest = max(image.size)
    side = header["eval"]["long_side"] or longest
    size = [max(SMALLEST_SIDE, length * side // longest) for length in image.size]
    pixels = np.asarray(image.resize(size, BILINEAR), np.float32)  # H,W,3 in 0..255
    logits = session.run(None, {"image": pixels.transpose(2, 0, 1)[None]})[0][0]  # C,h,w
    full = [np.asarray(Image.fromarray(each).resize(image.size, BILINEAR)) for each in logits]
    mask = Image.fromarray(np.argmax(full, axis=0).astype(np.uint8))  # H,W
    mask.putpalette(np.ravel([(0, 0, 0), *header["classes"]["colours"]]).tolist())
    return mask, ["background", *header["classes"]["names"]]


if __name__ == "__main__":
    model_file, image_file, mask_file = sys.argv[1:]
    found, names = predict(
        model_file, ImageOps.exif_transpose(Image.open(image_file)).convert("RGB")
    )
    found.save(mask_file)
    ids = np.asarray(found).ravel()
    shares = np.bincount(ids, minlength=len(names)) / ids.size
    print(*(f"{name}: {share:.1%}" for name, share in zip(names, shares, strict=True)), sep="\n")
