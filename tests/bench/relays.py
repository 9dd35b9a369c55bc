"""A relay that counts what passes: every byte of HTTP, both ways, as a modem would bill it. Knows no message."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Relay:
    """Where it listens, and the bytes that have passed to the server and back."""

    port: int = 0
    up: int = 0
    down: int = 0

    @property
    def total(self) -> int:
        """Both ways."""
        return self.up + self.down


@asynccontextmanager
async def a_relay(to_port: int) -> AsyncGenerator[Relay]:
    """A relay to a port of this machine."""
    relay, ends = Relay(), set[asyncio.StreamWriter]()

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        while data := await reader.read(65536):
            setattr(relay, way, getattr(relay, way) + len(data))
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to_port)
        ends.update((writer, back))
        await asyncio.gather(passed_on(reader, back, "up"), passed_on(there, writer, "down"), return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for end in ends:
            end.close()
