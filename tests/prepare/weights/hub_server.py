"""A Hugging Face hub on this machine: repositories, their revisions and files, and its faults."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT, LATER = "1" * 40, "2" * 40


class HubServer(ThreadingHTTPServer):
    """Serves `repositories`: name -> commit -> file -> content; the last commit is `main`.

    Attributes:
        requests: Method and path of every request.
        damaged: Whether the last byte of each large file arrives as another.
        closed: Repositories that must be asked for.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = {}
        self.requests = []
        self.damaged = False
        self.closed = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.requests.append((self.command, path))
        about = path.startswith("api/models/")
        parts = path.removeprefix("api/models/").split("/")
        name, rest = "/".join(parts[:2]), parts[2:]
        commits = self.server.repositories.get(name)
        if commits is None:
            return self.send(404, b"", {"X-Error-Code": "RepoNotFound"})
        if name in self.server.closed:
            return self.send(403, b"", {"X-Error-Code": "GatedRepo"})
        revision = rest[1] if len(rest) > 1 else "main"
        commit = list(commits)[-1] if revision == "main" else revision
        if commit not in commits:
            return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = commits[commit]
        if about and rest[:1] == ["tree"]:
            return self.send_json([entry(name, content) for name, content in files.items()])
        if about:
            siblings = [sibling(name, content) for name, content in files.items()]
            return self.send_json(
                {"id": name, "modelId": name, "sha": commit, "siblings": siblings}
            )
        return self.send_file(commit, files, "/".join(rest[2:]))

    def send_file(self, commit, files, name):
        if name not in files:
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
        content = files[name]
        digest = hashlib.sha256(content).hexdigest()
        if self.server.damaged and name.endswith(".safetensors"):
            content = content[:-1] + bytes([content[-1] ^ 1])
        return self.send(200, content, {"X-Repo-Commit": commit, "ETag": f'"{digest}"'})

    def send_json(self, value):
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status, content, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def is_large(name):
    """Whether the hub keeps a file by its SHA-256."""
    return name.endswith((".safetensors", ".bin"))


def sibling(name, content):
    """A file as the description of a model has it."""
    found = {"rfilename": name, "size": len(content)}
    if is_large(name):
        digest = hashlib.sha256(content).hexdigest()
        found["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
    return found


def entry(name, content):
    """A file as the list of a tree has it."""
    found = {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
    if is_large(name):
        digest = hashlib.sha256(content).hexdigest()
        found["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return found
