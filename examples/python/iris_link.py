"""One connection to an Iris server: TLS, login, frames (docs/protocol.md, sections 1, 2, 5)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from iris_wire import Frame, IrisError, decode, encode


@dataclass(frozen=True)
class Settings:
    """Whom to talk to, and as whom. `token` is asked anew for each login."""

    server: str
    ca: str
    user: str
    device: str
    token: Callable[[], str]
    protocol: int = 2


class Clock:
    """The device's clock, corrected by the server's."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def correct(self, server_time: int) -> None:
        self._ahead_ms += server_time - self.now()


def new_id(at_ms: int) -> str:
    """A UUID version 7, in hex."""
    bits = at_ms << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
    return f"{bits:032x}"


def items_of(frame: Frame) -> list[Frame]:
    """What version 1 would have sent in place of a batch."""
    match frame.name:
        case "Batch":
            return list(frame["items"])
        case "HistoryBatch":
            one = {"request": frame["request"]}
            return [Frame("HistoryEntry", **one, entry=entry) for entry in frame["entries"]]
        case _:
            return [frame]


class Link:
    """One TLS connection, as frames. Batches from the server come out as their items."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.version = 0
        self.wrote = self.heard = time.monotonic()

    @classmethod
    async def open(cls, server: str, ca: str) -> Link:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        host, _, port = server.rpartition(":")
        return cls(
            *await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=context, ssl_shutdown_timeout=2
            )
        )

    async def log_in(self, settings: Settings, clock: Clock) -> Frame:
        """Hello and Authenticate; gives the server's Ready."""
        login = {"token": settings.token(), "device": settings.device}
        hello = Frame("Hello", versions=(1 << settings.protocol) - 1, capabilities=0)
        self.write(
            hello, Frame("Authenticate", **login, nonce=os.urandom(16).hex(), at=clock.now())
        )
        async for frame in self.frames():
            if frame.name == "ServerHello":
                self.version = frame["version"]
            elif frame.name == "Refused":
                raise IrisError.of(frame)
            elif frame.name == "Ready":
                return frame
        raise EOFError

    def write(self, *frames: Frame) -> None:
        self._writer.write(b"".join(map(encode, frames)))
        self.wrote = time.monotonic()

    async def frames(self) -> AsyncIterator[Frame]:
        """What the server sends, until the connection ends with an exception."""
        while True:
            header = await self._reader.readexactly(3)
            payload = await self._reader.readexactly(int.from_bytes(header[1:], "big"))
            self.heard = time.monotonic()
            frame = decode(header + payload)
            if frame and frame.name == "Closed":
                raise IrisError.of(frame)
            for item in items_of(frame) if frame else []:
                yield item

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        self._writer.transport.abort()
