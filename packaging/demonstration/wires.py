"""A wire that can be cut: a TCP forwarder between a clinic and the cloud. Knows no protocol that runs over it."""

import asyncio
import contextlib


class Wire:
    """Forwards a loopback port to another while it is joined; when it is cut, what is open breaks and nothing answers."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self.joined = True
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to forward."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    def cut(self) -> None:
        """Break every connection, and refuse others until ``join``."""
        self.joined = False
        for writer in list(self._open):
            writer.transport.abort()

    def join(self) -> None:
        """Forward again."""
        self.joined = True

    async def close(self) -> None:
        """Stop for good."""
        self.cut()
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 2)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.joined:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._open |= both
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        self._open -= both


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
