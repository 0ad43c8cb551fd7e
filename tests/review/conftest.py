"""A small review: three images with masks, and the server's answers without a server."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.corrections.writing import Writer, open_for_writing
from weclip.data.masks.mask_files import save_mask
from weclip.review.reviewed import Doubt, Item, Reviewed
from weclip.review.session import Session
from weclip.review.web.guard import Guard
from weclip.review.web.routes import Routes
from weclip.review.web.server import listening

CLASSES = ClassList(("dog", "cat"), (("dog",), ("cat",)), ("ground",))
NAMES = ("a", "beach/b", "c")
SIZE = (40, 60)  # H, W
TOKEN, TICKET = "secret", "ticket"
PORT = 8123
OWN = {"host": f"127.0.0.1:{PORT}", "cookie": f"weclip-review-{PORT}={TOKEN}"}
CHANGES = OWN | {"origin": f"http://127.0.0.1:{PORT}"}


def write_images(folder: Path) -> list[Item]:
    """A blue picture with a red square, whose mask is a little too large, three times."""
    items = []
    for index, name in enumerate(NAMES):
        pixels = np.full((*SIZE, 3), (40, 60, 200), np.uint8)
        pixels[10:30, 20:40] = (220, 40, 30)
        mask = np.zeros(SIZE, np.uint8)
        mask[8:32, 18:42] = 1
        path = folder / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        save_mask(mask, folder / "out" / "masks" / f"{name}.png")
        image = TaggedImage(name, path, (0,))
        items.append(Item(image, folder / "out" / "masks" / f"{name}.png", 0.9 - 0.2 * index))
    return items


def reviewed(folder: Path) -> Reviewed:
    doubts = {"a": [Doubt("CLIP sees cat, which is no tag", 0.99)]}
    title, out = "three images", folder / "out"
    return Reviewed(title, out, CLASSES, write_images(folder), doubts=doubts, no_cam="no CAMs here")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with open_for_writing(tmp_path / "out" / "corrected", CLASSES, "review") as writer:
        yield writer


@pytest.fixture
def session(tmp_path: Path, writer: Writer) -> Session:
    return Session(reviewed(tmp_path), writer)


@pytest.fixture
def client(session: Session) -> TestClient:
    guard = Guard(Routes(session).app(), token=TOKEN, port=PORT, most=100_000, ticket=TICKET)
    return TestClient(guard, base_url=f"http://127.0.0.1:{PORT}", follow_redirects=False)


@pytest.fixture
def server(session: Session, own_ports: set[int]) -> Iterator[str]:
    """The address of a real server in a thread."""

    listener = listening(0)
    port = listener.getsockname()[1]
    own_ports.add(port)
    app = Guard(Routes(session).app(), token=TOKEN, port=port, most=100_000)
    running = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{port}/?token={TOKEN}"
    running.should_exit = True
    thread.join()
