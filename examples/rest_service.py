"""A REST service for a trained model, on Starlette.

    pip install "weclip[onnx]" starlette python-multipart uvicorn
    export WECLIP_TOKEN=...    # or read the one that it makes up and prints
    python rest_service.py photos.onnx

    curl -H "Authorization: Bearer $WECLIP_TOKEN" -F image=@dog.jpg \
        "http://127.0.0.1:8000/predict?format=polygons"

GET /health      says that it runs; the only one that needs no token
GET /classes     names and ids of the classes, as JSON
POST /predict    an image file as the body (Content-Type: image/jpeg) or as the form field `image`
                 -> a PNG of class ids, or with ?format=polygons JSON

The model is a run, a bundle or an ONNX file. It listens on 127.0.0.1; before you let others in
with --host, put a server that speaks TLS in front. Errors are one line: 400, 401, 413, 415.
"""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive

import weclip
from weclip.data.images.decoding import DECODE_ERRORS, open_header, open_image, to_rgb

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 25_000_000
MAX_WAITING = 16
"""Requests at once, each with its bytes in memory; uvicorn answers more with 503."""


@dataclass(frozen=True)
class Service:
    """The answers of the service.

    Attributes:
        model: What predicts.
        token: What a caller must know.
        max_bytes: Of a request.
        max_pixels: Width times height of an image.
        turn: Held by the one prediction that is computed.
    """

    model: weclip.SegmentationModel
    token: str
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def app(self) -> Starlette:
        """The service as an application."""
        routes = [
            Route("/health", self.health),
            Route("/classes", self.classes),
            Route("/predict", self.predict, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={ClientDisconnect: gone})

    async def health(self, request: Request) -> Response:
        """That it runs."""
        return JSONResponse({"status": "ok"})

    async def classes(self, request: Request) -> Response:
        """Names of the classes; an id is the place in the list."""
        self.require_token(request)
        return JSONResponse({"classes": self.model.class_names})

    async def predict(self, request: Request) -> Response:
        """Segment the image of a request."""
        self.require_token(request)
        name = request.query_params.get("format", "png")
        if name not in ANSWERS:
            raise HTTPException(400, f"format must be one of {', '.join(ANSWERS)}")
        content = await self.content(request)
        async with self.turn:
            return await run_in_threadpool(self.answer, content, ANSWERS[name])

    def require_token(self, request: Request) -> None:
        """Refuse a request without the token."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        same = secrets.compare_digest(given.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not same:
            asks = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "send the header 'Authorization: Bearer TOKEN'", asks)

    async def content(self, request: Request) -> bytes:
        """The image file in a request."""
        request = Request(request.scope, self.bounded(request.receive))
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            async with request.form(max_files=1, max_fields=0) as form:
                part = form.get("image")
                if not isinstance(part, UploadFile):
                    raise HTTPException(400, "send the image file as the form field 'image'")
                return await part.read()
        if not kind.startswith("image/"):
            raise HTTPException(415, "send an image file, as image/jpeg say, or a form with one")
        return await request.body()

    def bounded(self, receive: Receive) -> Receive:
        """What receives a request, as long as it is not too large."""
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise HTTPException(413, f"a request may have {self.max_bytes} bytes")
            return message

        return receive_some

    def answer(
        self, content: bytes, as_what: Callable[[weclip.Segmentation], Response]
    ) -> Response:
        """The answer to an image file."""
        image = image_of(content, self.max_pixels)
        try:
            return as_what(self.model.predict(image))
        except weclip.InputError as error:
            raise HTTPException(400, str(error)) from None


def image_of(content: bytes, max_pixels: int) -> Image.Image:
    """Decode an image file as RGB, upright; not before its size is known."""
    try:
        width, height = open_header("image", content).size
        if width * height > max_pixels:
            raise HTTPException(413, f"{width} x {height} pixels; an image may have {max_pixels}")
        with open_image("image", content, max_pixels=max_pixels) as image:
            return to_rgb(image)
    except DECODE_ERRORS:
        raise HTTPException(415, "not an image file that can be read") from None


def png(found: weclip.Segmentation) -> Response:
    """A palette PNG of class ids."""
    picture, buffer = Image.fromarray(found.label_map), BytesIO()
    picture.putpalette(found.palette.tobytes())
    picture.save(buffer, "PNG")
    return Response(buffer.getvalue(), media_type="image/png")


def polygons(found: weclip.Segmentation) -> Response:
    """Outlines in pixels, and what is known of each class."""
    outlines = {name: [each.tolist() for each in parts] for name, parts in found.polygons()}
    classes = [
        {
            "name": each.name,
            "id": each.id,
            "share": each.share,
            "confidence": each.confidence,
            "polygons": outlines.get(each.name, []),
        }
        for each in found.classes
    ]
    return JSONResponse({"width": found.size[1], "height": found.size[0], "classes": classes})


ANSWERS = {"png": png, "polygons": polygons}


async def gone(request: Request, error: Exception) -> Response:
    """Nobody reads this: the caller has hung up."""
    return PlainTextResponse("the request ended early", 400)


def main() -> None:
    """Start the service."""
    import uvicorn

    parser = argparse.ArgumentParser(description="A REST service for a trained model.")
    parser.add_argument("model", help="run folder, bundle or ONNX file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    token = os.environ.get("WECLIP_TOKEN")
    if not token:
        token = secrets.token_urlsafe()
        print(f"WECLIP_TOKEN={token}")
    try:
        model = weclip.load(given.model)
    except weclip.InputError as error:
        sys.exit(str(error))
    app = Service(model, token).app()
    uvicorn.run(app, host=given.host, port=given.port, limit_concurrency=MAX_WAITING)


if __name__ == "__main__":
    main()
