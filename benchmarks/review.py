"""Time that `weclip review` takes to answer with many images: median and 99th percentile.

    python benchmarks/review.py --images 10000 --actions 300

Images are copies of a few made ones; the server runs in this process, on 127.0.0.1. Every action
saves on the disk. Its table: docs/review.md.
"""

import argparse
import http.client
import json
import secrets
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import uvicorn
from PIL import Image

from weclip.data.batch import TaggedImage
from weclip.data.classes import load_classes
from weclip.data.corrections.writing import open_for_writing
from weclip.data.masks.mask_files import save_mask
from weclip.review.reviewed import Item, Reviewed
from weclip.review.session import Session
from weclip.review.web.guard import Guard
from weclip.review.web.routes import Routes
from weclip.review.web.server import listening

SIZE = (480, 640)
DIFFERENT = 8


def make(folder: Path, images: int) -> Reviewed:
    rng = np.random.default_rng(0)
    for index in range(DIFFERENT):
        pixels = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.jpg")
        save_mask(np.full(SIZE, index, np.uint8), folder / f"{index}.png")
    items = [
        Item(
            TaggedImage(f"{index:06}", folder / f"{index % DIFFERENT}.jpg", (index % 20,)),
            folder / f"{index % DIFFERENT}.png",
            float(rng.random()),
        )
        for index in range(images)
    ]
    return Reviewed("benchmark", folder, load_classes("voc"), items)


class Client:
    """One connection that stays open, as a browser's."""

    def __init__(self, port: int, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.headers = {
            "Cookie": f"weclip-review-{port}={token}",
            "Origin": f"http://127.0.0.1:{port}",
        }

    def ask(self, method: str, path: str, body: object = None, seen: int = 0) -> bytes:
        """The body of an answer, which must be good."""
        raw = isinstance(body, bytes)
        kind = "application/octet-stream" if raw else "application/json"
        headers = self.headers | {"If-Match": str(seen), "Content-Type": kind}
        content = body if raw or body is None else json.dumps(body)
        self.connection.request(method, path, content, headers)  # type: ignore[arg-type]
        answer = self.connection.getresponse()
        found = answer.read()
        assert answer.status == 200, found
        return found


def measure(client: Client, images: int, actions: int) -> dict[str, list[float]]:
    """Seconds of each kind of request, of images in random order."""
    rng = np.random.default_rng(1)
    mask = np.zeros(SIZE, np.uint8)
    mask[100:300, 100:400] = 3
    seconds: dict[str, list[float]] = {}

    def timed(what: str, *asked: object) -> None:
        start = time.perf_counter()
        client.ask(*asked)  # type: ignore[arg-type]
        seconds.setdefault(what, []).append(time.perf_counter() - start)

    for place in rng.permutation(images)[:actions].tolist():
        at = f"/api/images/{place}"
        timed("show an image", "GET", at)
        timed("its mask", "GET", f"{at}/mask")
        timed("a thumbnail", "GET", f"{at}/thumbnail")
        timed("save tags", "PUT", f"{at}/tags", {"tags": [1, 2]}, 0)
        timed("save a mask", "PUT", f"{at}/mask", mask.tobytes(), 1)
        timed("accept", "POST", f"{at}/decision", {"decision": "accept"}, 2)
        timed("what changed", "GET", "/api/progress?since=1")
    for order in ("doubt", "all") * 10:
        timed("a queue", "GET", f"/api/queue?order={order}")
        timed("the start", "GET", "/api/start")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--actions", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, token = Path(name), secrets.token_urlsafe()
        reviewed = make(folder, given.images)
        with open_for_writing(folder / "corrected", reviewed.classes, "benchmark") as writer:
            listener = listening(0)
            port = listener.getsockname()[1]
            app = Guard(Routes(Session(reviewed, writer)).app(), token=token, port=port, most=2**26)
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            while not server.started:
                time.sleep(0.01)
            seconds = measure(Client(port, token), given.images, given.actions)
            server.should_exit = True
            thread.join()
    print(f"{given.images} images of {SIZE[1]} x {SIZE[0]}, {given.actions} of them corrected")
    for what, each in seconds.items():
        median, late = np.percentile(each, [50, 99]) * 1000
        print(f"{what:16} median {median:7.1f} ms   99th percentile {late:7.1f} ms")


if __name__ == "__main__":
    main()
