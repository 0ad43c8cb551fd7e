"""A headless Chromium through its driver, by the W3C WebDriver protocol; nothing is downloaded."""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Space": " ", "ArrowRight": "\ue014", "ArrowDown": "\ue015"}
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --force-device-scale-factor=1"
).split()


def missing() -> str:
    """Why there is no browser here; empty where there is one."""
    if shutil.which("chromedriver") is None:
        return "no chromedriver here (Debian: apt-get install chromium chromium-driver)"
    return "" if chromium() else "no chromium here (Debian: apt-get install chromium)"


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


class Browser:
    """One window."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.session = ""

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{answer['error']}: {answer['message'][:600]}")
        return answer

    def do(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.ask(method, f"/session/{self.session}{path}", body)

    def open(self, address: str) -> None:
        self.do("POST", "/url", {"url": address})
        self.wait("document.body.dataset.ready === 'yes'")

    def run(self, code: str, *values: Any) -> Any:
        """What JavaScript returns."""
        return self.do("POST", "/execute/sync", {"script": code, "args": list(values)})

    def value(self, expression: str) -> Any:
        return self.run(f"return {expression}")

    def wait(self, expression: str, seconds: float = 15) -> Any:
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            assert time.monotonic() < end, (
                f"never: {expression}; {self.value('document.body.innerText')}"
            )
            time.sleep(0.03)
        return found

    def text(self, css: str) -> str:
        return self.value(f"document.querySelector({json.dumps(css)}).textContent")

    def keys(self, *keys: str) -> None:
        """Press keys, each alone; `Shift+X` and `Ctrl+X` hold another."""
        actions: list[dict[str, str]] = []
        for key in keys:
            held = {"Shift": "\ue008", "Ctrl": "\ue009"}
            names = key.split("+") if len(key) > 1 else [key]
            values = [held.get(name) or KEYS.get(name, name) for name in names]
            actions += [{"type": "keyDown", "value": value} for value in values]
            actions += [{"type": "keyUp", "value": value} for value in reversed(values)]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.do("POST", "/actions", {"actions": [source]})

    def drag(self, *points: tuple[float, float]) -> None:
        """Press at the first point of the window, move over the others, and let go."""
        moves = [
            {"type": "pointerMove", "duration": 20, "x": round(x), "y": round(y)} for x, y in points
        ]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:]]
        actions.append({"type": "pointerUp", "button": 0})
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self.do("POST", "/actions", {"actions": [mouse | {"actions": actions}]})

    def resize(self, width: int, height: int) -> None:
        self.do("POST", "/window/rect", {"width": width, "height": height})

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.do("GET", "/screenshot")))

    def new_tab(self) -> None:
        made = self.do("POST", "/window/new", {"type": "tab"})
        self.do("POST", "/window", {"handle": made["handle"]})

    def tab(self, index: int) -> None:
        handle = self.do("GET", "/window/handles")[index]
        self.do("POST", "/window", {"handle": handle})


@contextmanager
def browser(profile: Path, allow: Callable[[int], object]) -> Iterator[Browser]:
    """A browser with an empty profile; `allow` is told the port of its driver."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    allow(port)
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}", "--allowed-ips=127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    window = Browser(port)
    try:
        _until_ready(window)
        options = {"binary": chromium(), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        always = {"browserName": "chrome", "goog:chromeOptions": options}
        always["goog:loggingPrefs"] = {"browser": "ALL"}
        made = window.ask("POST", "/session", {"capabilities": {"alwaysMatch": always}})
        window.session = made["sessionId"]
        yield window
    finally:
        if window.session:
            window.ask("DELETE", f"/session/{window.session}")
        driver.terminate()
        driver.wait()


def _until_ready(window: Browser) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if window.ask("GET", "/status")["ready"]:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("chromedriver does not answer")
