"""The least an HTTP server can do, as a program: ``bare.py PORT LENGTH`` answers every request with so many bytes."""

import asyncio
import signal
import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server


def answering(length: int) -> Any:
    """An ASGI application that reads what is sent and answers with bytes of this length."""
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", str(length).encode())]
    body = bytes(length)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app


async def serve(port: int, length: int) -> None:
    """Answer until SIGTERM."""
    server = Server(
        answering(length),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=False,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
