"""A review whose server is killed: what was confirmed is there, and no file is half written."""

import http.client
import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
from PIL import Image
from tests.survival import processes

from weclip.data.classes import ClassList
from weclip.data.corrections.folder import read_corrections
from weclip.data.masks.mask_files import read_mask, save_mask

KILLS = [3, pytest.param(100, marks=pytest.mark.long)]
"""How often; the whole number where there is time (make test-long)."""

CLASSES = ClassList(("dog", "cat"), (("dog",), ("cat",)), ())
COUNT, SIZE = 6, (64, 96)
BACKGROUND = {"id": 0, "name": "background", "rgb": [0, 0, 0]}


@dataclass
class State:
    """What an image must be; `seen` is its version."""

    seen: int = 0
    decision: str = "open"
    tags: tuple[int, ...] = (0,)
    mask: np.ndarray = field(default_factory=lambda: np.ones(SIZE, np.uint8))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Predictions of a few pictures."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "out").mkdir()
    for place in range(COUNT):
        Image.new("RGB", SIZE[::-1], (40 * place, 90, 120)).save(tmp_path / f"photos/{place}.png")
        save_mask(np.ones(SIZE, np.uint8), tmp_path / f"out/masks/{place}.png")
    rows = [{"id": i, "name": n, "rgb": [9 * i, 99, 0]} for i, n in enumerate(CLASSES.names, 1)]
    (tmp_path / "out/legend.json").write_text(json.dumps({"classes": [BACKGROUND, *rows]}))
    (tmp_path / "out/run.json").write_text('{"kind": "prediction"}')
    return tmp_path / "out"


class Client:
    """The page's part, without a page."""

    def __init__(self, told: str) -> None:
        address = next(line for line in told.splitlines() if line.startswith("open "))
        place, _, self.token = address.removeprefix("open http://").partition("/?token=")
        self.host, self.port = place, int(place.partition(":")[2])

    def send(self, method: str, path: str, body: bytes, kind: str, seen: int) -> bool:
        """Whether it is confirmed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Cookie": f"weclip-review-{self.port}={self.token}", "If-Match": str(seen)}
        headers |= {"Origin": f"http://{self.host}", "Content-Type": kind}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        confirmed = json.loads(answer.read())
        assert answer.status == 200, confirmed
        connection.close()
        return True


def next_state(now: State, rng: random.Random) -> tuple[str, str, bytes, State]:
    """A random action: its address, method and body, and what the image is after it."""
    kind = rng.choice(["mask", "mask", "tags", "accept", "reject", "open"])
    if kind == "mask":
        mask = np.random.default_rng(rng.randrange(2**32)).integers(0, 3, SIZE).astype(np.uint8)
        return "mask", "PUT", mask.tobytes(), State(now.seen + 1, "open", now.tags, mask)
    if kind == "tags":
        tags = tuple(sorted(rng.sample(range(2), rng.randrange(3))))
        body = json.dumps({"tags": [tag + 1 for tag in tags]}).encode()
        return "tags", "PUT", body, State(now.seen + 1, "open", tags, now.mask)
    body = json.dumps({"decision": kind}).encode()
    return "decision", "POST", body, State(now.seen + 1, kind, now.tags, now.mask)


def is_state(found: Path, name: str, state: State) -> bool:
    """Whether an image is what a state says."""
    said = read_corrections(found, CLASSES).of(name)
    tags = state.tags if said.tags is None else said.tags
    mask = state.mask if said.mask is None or not said.mask.exists() else read_mask(said.mask)
    same = (said.decision, tags) == (state.decision, state.tags)
    return same and np.array_equal(mask, state.mask)


@pytest.mark.parametrize("kills", KILLS)
def test_nothing_confirmed_is_lost(kills: int, out: Path, own_ports: set[int]):
    rng = random.Random(0)
    states = {place: State() for place in range(COUNT)}
    confirmed = 0
    for number in range(kills):
        started = out.with_name(f"told-{number}.txt")
        line = ["review", str(out), "--data", str(out.parent / "photos"), "--no-browser"]
        process = processes.start(line, started)
        client = Client(until(started, process))
        own_ports.add(client.port)
        begun, killer = None, Timer(rng.uniform(0, 0.3), process.kill)
        with suppress(OSError, http.client.HTTPException):
            while True:
                place = rng.randrange(COUNT)
                path, method, body, after = next_state(states[place], rng)
                begun = (place, after)
                kind = "application/octet-stream" if path == "mask" else "application/json"
                client.send(method, f"/api/images/{place}/{path}", body, kind, after.seen - 1)
                states[place] = after
                confirmed += 1
                if killer.ident is None:  # not begun
                    killer.start()
        process.join()
        look(out / "corrected", states, begun)
    assert confirmed > kills


def until(told: Path, process) -> str:
    """What the server told, once it is ready."""
    end = time.monotonic() + 60
    while not (told.exists() and "Ctrl-C" in told.read_text()):
        assert time.monotonic() < end
        assert process.is_alive(), told.read_text()
        time.sleep(0.01)
    return told.read_text()


def look(folder: Path, states: dict[int, State], begun: tuple[int, State] | None) -> None:
    """Every image is what was confirmed; the one that was being changed may be what it became."""
    if not (folder / "log.jsonl").exists():
        return
    for path in (folder / "masks").glob("*.png") if (folder / "masks").exists() else ():
        assert read_mask(path).shape == SIZE
    found = read_corrections(folder, CLASSES)
    for place, state in states.items():
        name = str(place)
        version = found.of(name).version
        if begun is None or begun[0] != place or version == state.seen:
            assert version == state.seen
            if begun is None or begun[0] != place or not is_state(folder, name, begun[1]):
                assert is_state(folder, name, state), (place, state.decision, found.of(name))
            continue
        assert version == begun[1].seen  # its line is written, its file perhaps not
        reopened = State(version, "open", state.tags, state.mask)
        became = next(s for s in (begun[1], reopened) if is_state(folder, name, s))
        states[place] = State(version, became.decision, became.tags, became.mask)
    if begun is not None:
        place = begun[0]
        now = found.of(str(place))
        tags = states[place].tags if now.tags is None else now.tags
        there = now.mask is not None and now.mask.exists()
        mask = read_mask(now.mask) if there else states[place].mask
        states[place] = State(now.version, now.decision, tags, mask)
