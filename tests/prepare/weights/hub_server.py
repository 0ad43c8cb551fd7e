"""A Hugging Face hub on this machine: repositories, their revisions and files, and its faults."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT, LATER = "1" * 40, "2" * 40
TOKEN = "hf_token_of_a_test"


class HubServer(ThreadingHTTPServer):
    """Serves `repositories`: name -> commit -> file -> content; the last commit is `main`.

    Attributes:
        requests: Method and path of every request.
        damaged: Whether the last byte of each large file arrives as another.
        closed: Repositories that must be asked for.
        private: Repositories that only who has `TOKEN` may see.
        objects: Large files by SHA-256 that were sent and are in no commit yet.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = {}
        self.requests = []
        self.damaged = False
        self.closed = set()
        self.private = set()
        self.objects = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        path, body = self.received()
        if path == "api/validate-yaml":
            return self.send_json({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.send(401, b'{"error": "Invalid user token."}', {})
        if path == "api/repos/create":
            return self.create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self.send_json({"objects": list(map(self.ask_for, json.loads(body)["objects"]))})
        name = "/".join(path.split("/")[2:4])
        if name not in self.server.repositories:
            return self.send(404, b"", {"X-Error-Code": "RepoNotFound"})
        if "/preupload/" in path:
            asked = [each["path"] for each in json.loads(body)["files"]]
            modes = ("lfs" if is_large(each) else "regular" for each in asked)
            told = zip(asked, modes, strict=True)
            files = [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in told]
            return self.send_json({"files": files})
        return self.commit(name, [json.loads(line) for line in body.splitlines()])

    def do_PUT(self):
        path, body = self.received()
        self.server.objects[path.removeprefix("objects/")] = body
        self.send(200, b"", {})

    def received(self):
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.requests.append((self.command, path))
        return path, self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def create(self, wanted):
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] != "me":
            return self.send(403, b'{"error": "not yours"}', {})
        if name in self.server.repositories:
            there = {"error": "is there", "url": f"{self.server.url}/{name}"}
            return self.send(409, json.dumps(there).encode(), {})
        self.server.repositories[name] = {COMMIT: {}}
        if wanted.get("visibility") == "private":
            self.server.private.add(name)
        return self.send_json({"url": f"{self.server.url}/{name}"})

    def ask_for(self, wanted):
        there = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] in self.server.objects:
            return there
        return there | {
            "actions": {"upload": {"href": f"{self.server.url}/objects/{wanted['oid']}"}}
        }

    def commit(self, name, lines):
        commits = self.server.repositories[name]
        files = dict(list(commits.values())[-1])
        for line in lines:
            if line["value"].get("parentCommit", list(commits)[-1]) != list(commits)[-1]:
                return self.send(412, b'{"error": "a commit has happened since"}', {})
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                content = self.server.objects[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"]
                files[value["path"]] = content
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        oid = f"{len(commits) + 1}" * 40
        commits[oid] = files
        url = f"{self.server.url}/{name}/commit/{oid}"
        return self.send_json({"commitUrl": url, "commitOid": oid})

    def answer(self):
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.requests.append((self.command, path))
        about = path.startswith("api/models/")
        parts = path.removeprefix("api/models/").split("/")
        name, rest = "/".join(parts[:2]), parts[2:]
        commits = self.server.repositories.get(name)
        hidden = self.headers.get("Authorization") != f"Bearer {TOKEN}"
        if commits is None or (name in self.server.private and hidden):
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
                {
                    "id": name,
                    "modelId": name,
                    "sha": commit,
                    "siblings": siblings,
                    "private": name in self.server.private,
                }
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
        if self.command != "HEAD":
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
