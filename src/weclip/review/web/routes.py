"""What the page asks and sends: addresses, and their answers in JSON, JPEG, PNG or raw ids.

    GET  /                            the page        GET  /page/NAME                  its files
    GET  /api/start                                   GET  /api/queue?order=&class=
    GET  /api/progress?since=         what changed
    GET  /api/images/I                GET  /api/images/I/picture, thumbnail, mask, made
    GET  /api/images/I/cam/CLASS, /api/images/I/confidence/0
    PUT  /api/images/I/mask           raw ids         PUT  /api/images/I/tags          {"tags": []}
    POST /api/images/I/decision       {"decision": ""}
    POST /api/classes {"name": ""}                    PUT  /api/classes/CLASS          {"name": ""}

Whoever changes something says in `If-Match` which version they saw; 412 has the newer one. An
image is a position in the list, a file of the page a name in a list: nothing becomes a path.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from weclip.data.corrections.writing import StaleError
from weclip.review.pictures import packed, unpacked
from weclip.review.session import CAM, CONFIDENCE, Session
from weclip.review.web.static import page_files
from weclip.system.errors import InputError, RunError, WriteError, unwritable
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.text import one_line

MOST_JSON = 2**16
"""Bytes of a request in JSON."""

Answer = Callable[[Request], Awaitable[Response]]


class Routes:
    """Answers about one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._files = page_files()

    def app(self) -> Starlette:
        """The pages, without the guard before them."""
        image = "/api/images/{place:int}"
        table: list[tuple[str, str, Answer]] = [
            ("GET", "/", self.page),
            ("GET", "/page/{name}", self.file),
            ("GET", "/api/start", self.start),
            ("GET", "/api/queue", self.queue),
            ("GET", "/api/progress", self.progress),
            ("GET", image, self.image),
            ("GET", image + "/picture", self.picture),
            ("GET", image + "/thumbnail", self.thumbnail),
            ("GET", image + "/mask", self.mask),
            ("GET", image + "/made", self.made),
            ("GET", image + "/{what}/{class_id:int}", self.heat),
            ("PUT", image + "/mask", self.save_mask),
            ("PUT", image + "/tags", self.save_tags),
            ("POST", image + "/decision", self.decide),
            ("POST", "/api/classes", self.add_class),
            ("PUT", "/api/classes/{class_id:int}", self.rename_class),
        ]
        routes = [Route(path, answer, methods=[method]) for method, path, answer in table]
        handlers: Any = {
            InputError: _wrong,
            IndexError: _nothing,
            StaleError: self._stale,
            OSError: _unwritten,
            RunError: _failed,
            ClientDisconnect: _gone,
        }
        return Starlette(routes=routes, exception_handlers=handlers)

    async def page(self, request: Request) -> Response:
        """The page itself."""
        return self._file("index.html")

    async def file(self, request: Request) -> Response:
        """A file of the page."""
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        found = self._files.get(name)
        if found is None:
            return PlainTextResponse("no such file\n", 404)
        return Response(found.content, media_type=found.kind)

    async def start(self, request: Request) -> Response:
        """What the page needs first."""
        return JSONResponse(await run_in_threadpool(self.session.start))

    async def queue(self, request: Request) -> Response:
        """Positions in an order."""
        given = request.query_params
        class_id = _number(given.get("class") or "0", "class") or None
        order = given.get("order", "all")
        return JSONResponse(await run_in_threadpool(self.session.queue, order, class_id))

    async def progress(self, request: Request) -> Response:
        """What was decided since."""
        since = _number(request.query_params.get("since", "0"), "since")
        return JSONResponse(await run_in_threadpool(self.session.progress, since))

    async def image(self, request: Request) -> Response:
        """All that is known of an image."""
        return JSONResponse(await run_in_threadpool(self.session.shown, _place(request)))

    async def picture(self, request: Request) -> Response:
        """An image."""
        content = await run_in_threadpool(self.session.picture, _place(request))
        return Response(content, media_type="image/jpeg")

    async def thumbnail(self, request: Request) -> Response:
        """A small image."""
        content = await run_in_threadpool(self.session.thumbnail, _place(request))
        return Response(content, media_type="image/jpeg")

    async def mask(self, request: Request) -> Response:
        """A mask as it is now."""
        return await self._ids(self.session.mask, request)

    async def made(self, request: Request) -> Response:
        """A mask as it was made."""
        return await self._ids(self.session.made_mask, request)

    async def _ids(self, mask_of: Callable[[int], Any], request: Request) -> Response:
        content = await run_in_threadpool(lambda: packed(mask_of(_place(request))))
        coding = {"content-encoding": "gzip"}
        return Response(content, media_type="application/octet-stream", headers=coding)

    async def heat(self, request: Request) -> Response:
        """A heat map; or in JSON, in one line, why there is none."""
        what, class_id = request.path_params["what"], request.path_params["class_id"]
        if what not in (CAM, CONFIDENCE):
            return PlainTextResponse("no such map\n", 404)
        found = await run_in_threadpool(self.session.heat, _place(request), what, class_id)
        if isinstance(found, str):
            return _said(404, found)
        return Response(found, media_type="image/png")

    async def save_mask(self, request: Request) -> Response:
        """Save a mask."""
        place, seen, body = _place(request), _seen(request), await request.body()

        def save() -> dict[str, Any]:
            mask = unpacked(body, self.session.size(place))
            return self.session.save_mask(place, mask, seen)

        return JSONResponse(await run_in_threadpool(save))

    async def save_tags(self, request: Request) -> Response:
        """Save tags."""
        tags = await _value(request, "tags", list)
        if len(tags) > 255 or not all(type(tag) is int for tag in tags):
            raise InputError("tags: a list of class ids")
        save = self.session.save_tags
        return JSONResponse(await run_in_threadpool(save, _place(request), tags, _seen(request)))

    async def decide(self, request: Request) -> Response:
        """Save a decision."""
        said = await _value(request, "decision", str)
        decide = self.session.decide
        return JSONResponse(await run_in_threadpool(decide, _place(request), said, _seen(request)))

    async def add_class(self, request: Request) -> Response:
        """Save a new class."""
        name, seen = await _value(request, "name", str), _seen(request)
        return JSONResponse(await run_in_threadpool(self.session.add_class, name, seen))

    async def rename_class(self, request: Request) -> Response:
        """Save another name of a class."""
        name, seen = await _value(request, "name", str), _seen(request)
        class_id = request.path_params["class_id"]
        rename = self.session.rename_class
        return JSONResponse(await run_in_threadpool(rename, class_id, name, seen))

    async def _stale(self, request: Request, error: Exception) -> Response:
        """The newer state, for who knew an older one."""
        place = request.path_params.get("place")
        now = self.session.classes() if place is None else self.session.state(place)
        return JSONResponse({"error": "it was changed meanwhile", "now": now}, 412)


def _place(request: Request) -> int:
    return int(request.path_params["place"])


def _seen(request: Request) -> int:
    """The version that a person saw; InputError where the request does not say it."""
    return _number(request.headers.get("if-match", "").strip('"'), "If-Match")


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise InputError(f"{what}: a whole number is needed")
    return int(text)


async def _value(request: Request, key: str, kind: type) -> Any:
    """A value of a request in JSON, of a kind."""
    if request.headers.get("content-type") != "application/json":
        raise InputError("send application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_JSON:
            raise InputError("the request is too large")
    found = parse_json(bytes(body), "request")
    if not isinstance(found, dict) or type(found.get(key)) is not kind:
        raise InputError(f"request: '{key}' is missing or of another kind")
    return found[key]


def _said(status: int, why: str) -> Response:
    return JSONResponse({"error": one_line(why, 600)}, status)


async def _wrong(request: Request, error: Exception) -> Response:
    return _said(422, str(error))


async def _nothing(request: Request, error: Exception) -> Response:
    return _said(404, "there is no such image")


async def _unwritten(request: Request, error: Exception) -> Response:
    why = unwritable(error, "corrections") if isinstance(error, WriteError) else "cannot be read"
    return _said(507, why)


async def _failed(request: Request, error: Exception) -> Response:
    return _said(500, str(error))


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads this: the caller has hung up."""
    return PlainTextResponse("", 400)
