"""How near `examples/onnx_predict.py` comes to weclip: the share of pixels with the same class.

python benchmarks/onnx_example.py MODEL.onnx "WORLD/JPEGImages/val_*.jpg" [--out FILE]
"""

import argparse
import runpy
from glob import glob
from pathlib import Path

import numpy as np
from PIL import Image

import weclip
from measuring import show, write

SCRIPT = Path(__file__).parents[1] / "examples" / "onnx_predict.py"
ENLARGED = (1, 4)
PROTOCOLS = {"its own": {}, "multi-scale and flip": {"scales": [1.0, 0.75], "flip": True}}


def main() -> None:
    """Parse, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="of weclip export")
    parser.add_argument("images", help="a pattern")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    predict = runpy.run_path(str(SCRIPT))["predict"]
    models = {name: weclip.load(args.model, eval=change) for name, change in PROTOCOLS.items()}
    equal: dict[tuple[int, str], list[float]] = {}
    files = sorted(glob(args.images))  # noqa: PTH207
    for path in files:
        with Image.open(path) as opened:
            scene = opened.convert("RGB")
        for times in ENLARGED:
            image = scene.resize(
                (times * scene.width, times * scene.height), Image.Resampling.BICUBIC
            )
            mask = np.asarray(predict(args.model, image)[0])
            for name, model in models.items():
                same = float((mask == model.predict(image).label_map).mean())
                equal.setdefault((times, name), []).append(same)
    rows = [
        (str(times), name, f"{100 * np.mean(shares):.2f} %", f"{100 * min(shares):.2f} %")
        for (times, name), shares in equal.items()
    ]
    title = f"pixels of the same class, {len(files)} images"
    show(title, ("enlarged", "protocol of weclip", "all images", "worst image"), rows)
    write(args.out, {"what": title, "rows": rows})


if __name__ == "__main__":
    main()
