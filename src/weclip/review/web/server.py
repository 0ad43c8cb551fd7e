"""The server: on 127.0.0.1 alone, at a free port, with a secret of its own."""

import secrets
import socket
from collections.abc import Callable

import uvicorn

from weclip.review.pictures import MOST_PIXELS
from weclip.review.session import Session
from weclip.review.web.guard import HOST, Guard
from weclip.review.web.routes import Routes
from weclip.system.errors import InputError

MOST_CONNECTIONS = 64


def serve(session: Session, port: int, ready: Callable[[str, str], None]) -> None:
    """Serve a session until a signal ends it.

    Args:
        session: What is served.
        port: Where; 0 for a free one.
        ready: Called with the address, and one for a single use, once connections are taken.

    Raises:
        InputError: The port is taken.
    """
    token, ticket = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with listening(port) as listener:
        own = listener.getsockname()[1]
        routes = Routes(session).app()
        app = Guard(routes, token=token, port=own, most=MOST_PIXELS, ticket=ticket)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        place = f"http://{HOST}:{own}/?token="
        ready(place + token, place + ticket)
        uvicorn.Server(config).run(sockets=[listener])


def listening(port: int) -> socket.socket:
    """A socket on this machine alone; 0: at a free port.

    Its protocol is named: only then asyncio sends small answers at once, and not after 40 ms.

    Raises:
        InputError: The port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"--port {port}: cannot be used ({error.strerror}); leave it out for a free one"
        ) from None
    listener.listen(MOST_CONNECTIONS)
    return listener
