"""Who gets in: only the person who started the page, from a page of its own, on this machine.

Every request passes, before anything reads it: the name of the server that it asks for (against
other sites' names that lead here), the page that it comes from, the secret, and its size.
"""

import hmac
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer: nothing from elsewhere runs, nobody frames it, nobody keeps it."""

METHODS = ("GET", "HEAD", "PUT", "POST")
SAFE = ("GET", "HEAD")


class Guard:
    """The only way to the pages in `app`.

    Args:
        app: What answers who got in.
        token: The secret of this start.
        port: Where the server listens, on 127.0.0.1.
        most: Bytes of a request's body.
        ticket: Opens the page once in the place of the secret, for a command line that others on
            this machine may read; empty: there is none.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int, most: int, ticket: str = "") -> None:
        self._app = app
        self._token = token.encode()
        self._ticket = ticket.encode()
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._cookie = f"weclip-review-{port}"
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return  # no lifespan, no sockets
        send = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, self._bounded(receive), send)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to who does not get in; None for who does."""
        headers, request = Headers(scope=scope), Request(scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return _refused(403, "this page answers to its own address only")
        if scope["method"] not in METHODS:
            return _refused(405, "no such method")
        opened = scope["path"] == "/" and scope["method"] == "GET"
        if not (opened or self._comes_from_itself(headers, scope["method"], hosts[0])):
            return _refused(403, "the request comes from another page")
        if opened and (given := self._given(scope)) is not None:
            known = self._is_token(given) or self._is_ticket(given)
            return self._entry() if known else _refused(403, WRONG)
        if not self._is_token(request.cookies.get(self._cookie, "")):
            return _refused(403, WRONG)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 12 or int(length) > self._most:
            return _refused(413, "the request is too large")
        return None

    def _comes_from_itself(self, headers: Headers, method: str, host: str) -> bool:
        """Whether a request is of our own page: changes must say so, others must not say else."""
        origins = headers.getlist("origin")
        if any(origin != f"http://{host}" for origin in origins):
            return False
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        return method in SAFE or len(origins) == 1

    def _given(self, scope: Scope) -> str | None:
        """The token in an address, if it has one."""
        query = scope["query_string"].decode("latin-1")
        try:
            given = parse_qs(query, keep_blank_values=True, max_num_fields=8).get("token", [])
        except ValueError:  # too many fields
            return ""
        return given[0] if given else None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    def _is_ticket(self, given: str) -> bool:
        """Whether it is the ticket, which is none from then on."""
        found = hmac.compare_digest(given.encode("utf-8", "replace"), self._ticket)
        if not found or not self._ticket:
            return False
        self._ticket = b""
        return True

    def _entry(self) -> Response:
        """The page without the secret in its address; from now on a cookie holds it."""
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._cookie, self._token.decode(), httponly=True, samesite="strict", path="/"
        )
        return answer

    def _bounded(self, receive: Receive) -> Receive:
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise HTTPException(413, "the request is too large")
            return message

        return receive_some


WRONG = "open the address that weclip review printed: it holds the key to this page"


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(why + "\n", status)


def _with_headers(send: Send) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with
