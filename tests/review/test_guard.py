"""Only its owner gets in: hostile requests, each with its answer (listed in docs/review.md)."""

import json

import pytest
from starlette.testclient import TestClient
from tests.review.conftest import CHANGES, OWN, PORT, TICKET, TOKEN

from weclip.data.corrections.writing import Writer
from weclip.review.web.guard import HEADERS

COOKIE = OWN["cookie"]
HOST = OWN["host"]
JSON = {"content-type": "application/json", "if-match": '"0"'}

HOSTILE = {
    "no cookie": ("GET", "/api/start", {"host": HOST}, 403),
    "a wrong cookie": ("GET", "/api/start", {"host": HOST, "cookie": COOKIE + "x"}, 403),
    "a cookie that is no ASCII": ("GET", "/", {"host": HOST, "cookie": COOKIE[:-6] + "é"}, 403),
    "the page without a cookie": ("GET", "/", {"host": HOST}, 403),
    "a wrong token": ("GET", "/?token=guess", {"host": HOST}, 403),
    "an empty token": ("GET", "/?token=", {"host": HOST}, 403),
    "too many fields": ("GET", "/?" + "a=1&" * 50 + f"token={TOKEN}", {"host": HOST}, 403),
    "the ticket as a cookie": ("GET", "/", {"host": HOST, "cookie": f"weclip-review-{PORT}={TICKET}"}, 403),
    "the token elsewhere": ("GET", f"/api/start?token={TOKEN}", {"host": HOST}, 403),
    "a name that leads here": ("GET", "/api/start", OWN | {"host": f"evil.example:{PORT}"}, 403),
    "another port": ("GET", "/api/start", OWN | {"host": "127.0.0.1:1"}, 403),
    "no port": ("GET", "/api/start", OWN | {"host": "127.0.0.1"}, 403),
    "the token with another name": ("GET", f"/?token={TOKEN}", {"host": "evil.example"}, 403),
    "another page reads": ("GET", "/api/start", OWN | {"origin": "http://evil.example"}, 403),
    "a page of no origin reads": ("GET", "/api/start", OWN | {"origin": "null"}, 403),
    "another site loads": ("GET", "/api/images/0/picture", OWN | {"sec-fetch-site": "cross-site"}, 403),
    "another port of this machine loads": ("GET", "/api/start", OWN | {"sec-fetch-site": "same-site"}, 403),
    "another page writes": ("PUT", "/api/images/0/tags", CHANGES | JSON | {"origin": "http://evil.example"}, 403),
    "a form writes": ("POST", "/api/images/0/decision", OWN | JSON | {"origin": "null"}, 403),
    "a change of no origin": ("POST", "/api/images/0/decision", OWN | JSON, 403),
    "https of the same name": ("PUT", "/api/images/0/tags", CHANGES | JSON | {"origin": f"https://{HOST}"}, 403),
    "a form's kind": ("POST", "/api/images/0/decision", CHANGES | {"content-type": "text/plain", "if-match": "0"}, 422),
    "DELETE": ("DELETE", "/api/images/0/mask", CHANGES, 405),
    "OPTIONS": ("OPTIONS", "/api/start", CHANGES, 405),
    "TRACE": ("TRACE", "/", CHANGES, 405),
    "CONNECT": ("CONNECT", "/", CHANGES, 405),
    "a path out of the page": ("GET", "/page/../routes.py", OWN, 404),
    "an encoded path out of the page": ("GET", "/page/..%2f..%2fweb%2froutes.py", OWN, 404),
    "an absolute path": ("GET", "/page/%2fetc%2fpasswd", OWN, 404),
    "a module of Python": ("GET", "/page/__init__.py", OWN, 404),
    "a NUL": ("GET", "/page/main.js%00", OWN, 404),
    "an image by path": ("GET", "/api/images/..%2f..%2fsecret/mask", OWN, 404),
    "an image after the last": ("GET", "/api/images/3/mask", OWN, 404),
    "an image before the first": ("GET", "/api/images/-1/mask", OWN, 404),
    "an image of 40 digits": ("GET", "/api/images/" + "9" * 40 + "/mask", OWN, 404),
    "a map of another kind": ("GET", "/api/images/0/secret/1", OWN, 404),
    "an unknown order": ("GET", "/api/queue?order=../x", OWN, 422),
    "a class that is no number": ("GET", "/api/queue?order=all&class=1e9", OWN, 422),
    "no version": ("POST", "/api/images/0/decision", CHANGES | {"content-type": "application/json"}, 422),
    "a version that is no number": ("POST", "/api/images/0/decision", CHANGES | JSON | {"if-match": "*"}, 422),
    "a length that is no number": ("PUT", "/api/images/0/mask", CHANGES | {"content-length": "1e3"}, 413),
    "a length of too much": ("PUT", "/api/images/0/mask", CHANGES | {"content-length": "999999999"}, 413),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_is_refused(name: str, client: TestClient, writer: Writer):
    method, path, headers, status = HOSTILE[name]
    body = json.dumps({"decision": "reject", "tags": []}).encode()
    sent = [(key.encode(), value.encode()) for key, value in headers.items()]
    content = body if method in ("PUT", "POST") else None
    answer = client.request(method, path, headers=sent, content=content)
    assert answer.status_code == status
    assert {key: answer.headers.get(key) for key in HEADERS} == HEADERS
    assert "set-cookie" not in answer.headers
    assert "dog" not in answer.text
    assert writer.corrections.images == {}


BODIES = {
    "a mask of another size": ("mask", b"\0" * 100, 422, "60 x 40"),
    "a mask with an unknown class": ("mask", b"\x09" * 2400, 422, "a class id that no class has"),
    "no JSON": ("tags", b"{", 422, "not valid JSON"),
    "tags that are no list": ("tags", b'{"tags": {}}', 422, "of another kind"),
    "a tag that no class has": ("tags", b'{"tags": [9]}', 422, "no class has"),
    "a tag that is no number": ("tags", b'{"tags": ["../x"]}', 422, "a list of class ids"),
    "the background as a tag": ("tags", b'{"tags": [0]}', 422, "no class has"),
    "deep JSON": ("tags", b"[" * 5000 + b"]" * 5000, 422, "deep"),
    "much JSON": ("tags", b'{"tags": [' + b"1," * 40_000 + b"1]}", 422, "too large"),
    "too much of all": ("mask", b"\0" * 100_001, 413, "too large"),
    "an unknown decision": ("decision", b'{"decision": "rm -rf"}', 422, "no decision"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_refused(name: str, client: TestClient, writer: Writer):
    what, body, status, said = BODIES[name]
    method = "POST" if what == "decision" else "PUT"

    def parts():  # of a length that nobody tells
        yield from (body[i : i + 4096] for i in range(0, len(body), 4096))

    for content in (body, parts()):
        answer = client.request(
            method, f"/api/images/0/{what}", headers=CHANGES | JSON, content=content
        )
        assert answer.status_code == status
        assert said in answer.text
    assert writer.corrections.images == {}


@pytest.mark.parametrize("name", ["", "background", "a;b", "dog", "x" * 2000, "a\x00b"])
def test_a_name_that_no_class_can_have_is_refused(name: str, client: TestClient, writer: Writer):
    answer = client.post("/api/classes", headers=CHANGES | JSON, json={"name": name})
    assert answer.status_code == 422
    assert writer.classes.names == ("dog", "cat")


def test_the_token_is_traded_for_a_cookie_that_scripts_cannot_read(client: TestClient):
    answer = client.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/").status_code == 200
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"


def test_a_ticket_opens_the_page_once(client: TestClient):
    """The command line of a browser shows it to everybody on the machine."""
    assert client.get(f"/?token={TICKET}").status_code == 303
    client.cookies.clear()
    assert client.get(f"/?token={TICKET}").status_code == 403
    assert client.get("/?token=").status_code == 403
    assert client.get(f"/?token={TOKEN}").status_code == 303


def test_an_answer_loads_nothing_from_elsewhere_and_cannot_be_framed(client: TestClient):
    policy = client.get("/", headers=OWN).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
