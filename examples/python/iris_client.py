#!/usr/bin/env python3
"""A client of the Iris protocol (docs/protocol.md), both versions, standard library only.

As a library:

    settings = Settings("127.0.0.1:7443", "ca.pem", "alice", "py", lambda: token)
    async with Client(settings, Store("alice.db")) as client:
        receipt = await client.send("bob", "hello")     # retried until it is durable or refused
        async for event in client.events():             # Message, Gap or PageEnd, stored already
            print(event)

As a command: `iris_client.py --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from iris_link import Clock, Link, Settings, new_id
from iris_store import Message, Outgoing, Receipt, Store
from iris_wire import (
    DIRECTIONS,
    NAME,
    PAYLOAD_BYTES_MAX,
    TEXT,
    Body,
    Frame,
    IrisError,
    ProtocolError,
    encode,
)

PAGES_IN_FLIGHT_MAX: Final = 8
LOGIN_ANSWER_S, PING_S, WAITING_PING_S, PONG_S_MAX = 15.0, 120.0, 10.0, 20.0
ACKNOWLEDGE_EVERY: Final = 64


# ---- the client -------------------------------------------------------------------------------


def backoff_s(attempt: int, at_least_ms: int = 0) -> float:
    return max(random.uniform(0, min(60.0, 0.5 * 2 ** min(attempt, 10))), at_least_ms / 1000)


@dataclass
class Lane:
    """The unanswered messages to one user, in order."""

    pending: dict[str, Outgoing] = field(default_factory=dict)
    held: bool = False  # a message was refused, but may be sent again when all are answered
    after_ms: int = 0
    attempt: int = 0

    def sendable(self) -> Iterator[tuple[Outgoing, str | None]]:
        """What may go out now, each with the message that it follows."""
        items = [] if self.held else list(self.pending.values())
        previous = None
        for item in items:
            if not item.in_flight:
                yield item, previous
            previous = item.id


@dataclass
class Query:
    """A request that waits for its answer, and the history entries that came before it."""

    future: asyncio.Future[Frame]
    entries: list[Frame] = field(default_factory=list)


class Client:
    """A device that stays connected: it reconnects, sends again, and syncs from its cursor."""

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        self.settings, self.store, self.version = settings, store or Store(), 0
        self._clock = Clock()
        self._link: Link | None = None
        self._ready, self._drain = Frame("Ready"), Frame("Drain")
        self._usable = asyncio.Event()  # connected, or failed for good
        self._failure: BaseException | None = None
        self._requests: dict[int, Outgoing | Query] = {}
        self._numbers = itertools.count(1)
        self._lanes: dict[str, Lane] = {}
        self._pages = asyncio.Semaphore(PAGES_IN_FLIGHT_MAX)
        self._events: asyncio.Queue[Frame | BaseException] = asyncio.Queue()
        self._receiving = self._pumping = False
        self._sync_request = self._expected = self._acknowledged = self._taken = 0

    async def __aenter__(self) -> Client:
        for item in self.store.unsent():
            self._lanes.setdefault(item.to, Lane()).pending[item.id] = item
        self._task = asyncio.create_task(self._run())
        await self._wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._acknowledge()
        link, self._failure = self._link, self._failure or EOFError("the client is closed")
        if link:
            await link.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._disconnected()

    # What an application calls

    async def send(self, to: str, body: str | bytes, kind: int = TEXT) -> Receipt:
        """Sends a message, again if need be, until it is durable or refused for good.

        After `id_too_old` the message may be in the history: look there before sending it anew.
        """
        data = body.encode() if isinstance(body, str) else body
        if not NAME.fullmatch(to) or not 1 <= len(data) <= self._ready["body_bytes_max"]:
            raise ValueError("not a user's name, or a body of a length that is not allowed")
        item = Outgoing(new_id(self._clock.now()), to, Body(kind, data))
        self.store.queue(item)
        self._lanes.setdefault(to, Lane()).pending[item.id] = item
        self._wake()
        return await asyncio.shield(item.future)

    async def events(self) -> AsyncIterator[Message | Frame]:
        """The inbox from the stored cursor on: messages and, as frames, Gap and PageEnd."""
        self._receiving = True
        self._sync(self._link)
        while True:
            event = await self._events.get()
            if isinstance(event, BaseException):
                raise event
            taken = self._take(event)
            if taken:
                yield taken

    async def history(
        self, peer: str, direction: str = "latest", seq: int = 0, limit: int = 100
    ) -> tuple[list[Message], bool]:
        """A page of a conversation, ascending by seq, and whether there is more beyond it."""
        where = {"with": peer, "from": direction, "seq": seq, "limit": limit}
        query = await self._query(Frame("ReadHistory", **where))
        end = query.future.result()
        names = {"seq", "id", "sent_at", "body"}
        page = [
            Message(sender=e["from"], conversation=end["conversation"], **{n: e[n] for n in names})
            for e in query.entries
        ]
        return page, end["more"]

    async def conversations(self) -> AsyncIterator[Frame]:
        """All conversations: `conversation`, `with` and `last_seq`."""
        after, more = None, True
        while more:
            query = await self._query(Frame("ListConversations", after=after, limit=256))
            page = query.future.result()
            for item in page["items"]:
                yield item
                after = item["conversation"]
            more = page["more"]

    async def ping(self) -> float:
        """The seconds a Ping and its Pong take."""
        started = time.monotonic()
        await self._query(Frame("Ping"))
        return time.monotonic() - started

    def drop_connection(self) -> None:
        """As if the network failed; the client connects again by itself."""
        if self._link:
            self._link.abort()

    # The connection

    async def _run(self) -> None:
        attempt = 0
        while self._failure is None:
            delay, link = 0.0, None
            try:
                async with asyncio.timeout(LOGIN_ANSWER_S):
                    link = await Link.open(self.settings.server, self.settings.ca)
                    ready = await link.log_in(self.settings, self._clock)
                attempt = 0
                await self._serve(link, ready)
            except IrisError as error:
                delay = self._judge(error, attempt)
            except ssl.SSLCertVerificationError as error:
                self._failure = error
            except (OSError, EOFError, ProtocolError):
                delay = self._judge(IrisError(0, retryable=True), attempt)
            except Exception as error:  # ours: the application has to know
                self._failure = error
            if link:
                link.abort()
            self._disconnected()
            if self._failure is None:
                attempt += 1
                await asyncio.sleep(delay)

    def _judge(self, error: IrisError, attempt: int) -> float:
        """What the end of a connection means: the seconds to wait, or the end of the client."""
        drain, self._drain = self._drain, Frame("Drain")
        if not error.retryable:
            self._failure = error
        if error.name == "stale_timestamp":
            self._clock.correct(error.server_time)
        if error.name in ("stale_timestamp", "nonce_replayed") and attempt == 0:
            return 0
        if drain:
            jitter_ms: float = random.uniform(0, drain["jitter_ms"])
            return float(drain["reconnect_after_ms"] + jitter_ms) / 1000
        return backoff_s(attempt, error.after_ms)

    async def _serve(self, link: Link, ready: Frame) -> None:
        self._link, self._ready, self.version = link, ready, link.version
        self._clock.correct(ready["server_time"])
        if self.store.cursor is None:
            self.store.keep(ready["cursor"])
        self._acknowledged, self._taken = ready["cursor"], self.store.cursor or 0
        if self._receiving:
            self._sync(link)
        self._usable.set()
        self._wake()
        watch = asyncio.create_task(self._watch(link))
        try:
            async for frame in link.frames():
                self._handle(frame)
        finally:
            watch.cancel()

    async def _watch(self, link: Link) -> None:
        """Pings, and ends a connection whose server is dead."""
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            bound = WAITING_PING_S if self._requests or self._sync_request else PING_S
            if now - link.wrote > PING_S or now - link.heard > bound:
                link.write(Frame("Ping", token=0))
                await asyncio.sleep(PONG_S_MAX)
                if link.heard < now:
                    link.abort()

    def _disconnected(self) -> None:
        self._link = None
        self._usable.clear()
        for pending in self._requests.values():
            if isinstance(pending, Query) and not pending.future.done():
                pending.future.set_exception(self._failure or IrisError(0, retryable=True))
        self._requests.clear()
        while not self._events.empty():
            self._events.get_nowait()  # not stored: it comes again
        for lane in self._lanes.values():
            lane.held = False
            for item in lane.pending.values():
                item.in_flight = False
                if self._failure and not item.future.done():
                    item.future.set_exception(self._failure)
                    item.future.exception()  # perhaps nobody waits for it
        if self._failure:
            self._events.put_nowait(self._failure)
            self._usable.set()

    async def _wait(self) -> Link:
        await self._usable.wait()
        if not self._link:
            raise self._failure or EOFError
        return self._link

    def _handle(self, frame: Frame) -> None:
        match frame.name:
            case "Sent":
                self._answered(frame)
            case "Refused":
                self._refused(frame)
            case "Delivery" | "OwnSent":
                self._enter(frame["offset"], frame)
            case "Gap":
                self._enter(frame["first"], frame)
                self._expected = frame["last"] + 1
            case "PageEnd" | "SyncNeeded":
                self._sync_request *= not frame.get("live", True)
                self._events.put_nowait(frame)
            case "HistoryEntry":
                query = self._requests.get(frame["request"])
                if isinstance(query, Query):
                    query.entries.append(frame["entry"])
            case "HistoryEnd" | "Conversations" | "Pong":
                query = self._requests.pop(
                    frame["token" if frame.name == "Pong" else "request"], None
                )
                if isinstance(query, Query) and not query.future.done():
                    query.future.set_result(frame)
            case "Drain":
                self._drain = frame

    # Requests

    async def _query(self, frame: Frame) -> Query:
        """Asks until there is an answer, or a refusal for good."""
        async with self._pages:
            attempt = 0
            while True:
                link = await self._wait()
                query = Query(asyncio.get_running_loop().create_future())
                number = self._number(query)
                frame["token" if frame.name == "Ping" else "request"] = number
                link.write(frame)
                try:
                    await query.future
                    return query
                except IrisError as error:
                    if not error.retryable:
                        raise
                    await asyncio.sleep(backoff_s(attempt, error.after_ms))
                    attempt += 1

    def _number(self, waits: Outgoing | Query) -> int:
        number = next(self._numbers) % 0xFFFFFFFE + 1
        self._requests[number] = waits
        return number

    def _wake(self) -> None:
        """Sends soon, together with what else is queued until then."""
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if not self._link or self._drain:
            return
        room = self._ready["requests_in_flight_max"] - len(self._requests)
        ready = itertools.chain.from_iterable(lane.sendable() for lane in self._lanes.values())
        sends = []
        for item, previous in itertools.islice(ready, max(room, 0)):
            item.in_flight = True
            one = {"id": item.id, "previous": previous, "to": item.to, "body": item.body}
            sends.append(Frame("SendMessage", request=self._number(item), **one))
        self._link.write(*(self._batches(sends) if self.version > 1 else sends))

    def _batches(self, sends: list[Frame]) -> Iterator[Frame]:
        """As few SendBatch frames as the limits allow."""
        items: list[Frame] = []
        room = 0
        for send in sends:
            size = len(encode(send)) - 3
            if size > room or len(items) == self._ready["batch_items_max"]:
                items, room = [], PAYLOAD_BYTES_MAX - 2
                batch = Frame("SendBatch", items=items)
                yield batch
            items.append(send)
            room -= size

    def _answered(self, frame: Frame) -> None:
        item = self._requests.pop(frame["request"], None)
        if not isinstance(item, Outgoing) or item.id != frame["id"]:
            raise ProtocolError("a Sent for nothing that was sent")
        self.store.sent(item.id)
        lane = self._lanes[item.to]
        lane.pending.pop(item.id)
        lane.attempt = lane.after_ms = 0
        if not item.future.done():
            names = ("id", "conversation", "seq", "sent_at")
            item.future.set_result(Receipt(**{name: frame[name] for name in names}))
        if frame["offset"]:
            self._enter(frame["offset"], frame)
        self._settle(lane)

    def _refused(self, frame: Frame) -> None:
        error = IrisError.of(frame)
        waits = self._requests.pop(frame["request"], None)
        if isinstance(waits, Outgoing):
            self._refused_send(waits, error)
        elif waits:
            waits.future.set_exception(error)
        elif frame["request"] == self._sync_request and error.retryable:
            delay = backoff_s(2, error.after_ms)
            asyncio.get_running_loop().call_later(delay, self._sync, self._link)
        else:
            raise error

    def _refused_send(self, item: Outgoing, error: IrisError) -> None:
        """Sends the item, and what follows it, again later; or gives it up."""
        lane, item.in_flight = self._lanes[item.to], False
        if error.name == "id_in_future":
            self._clock.correct(error.server_time)
            old, item.id = item.id, new_id(self._clock.now())
            self.store.rename(old, item.id)
            items = lane.pending.values()
            lane.pending = {each.id: each for each in items}
        if error.retryable:
            lane.held, lane.after_ms = True, max(lane.after_ms, error.after_ms)
        else:
            lane.pending.pop(item.id)
            self.store.drop(item.id)
            item.future.set_exception(error)
        self._settle(lane)

    def _settle(self, lane: Lane) -> None:
        """Releases a held lane some time after its last send is answered."""
        if lane.held and not any(item.in_flight for item in lane.pending.values()):
            delay = backoff_s(lane.attempt, lane.after_ms)
            lane.attempt, lane.after_ms = lane.attempt + 1, 0
            asyncio.get_running_loop().call_later(delay, self._release, lane)
        self._wake()

    def _release(self, lane: Lane) -> None:
        lane.held = False
        self._wake()

    # The inbox

    def _sync(self, link: Link | None) -> None:
        if link and link is self._link:
            cursor = self.store.cursor or 0
            self._sync_request, self._expected = next(self._numbers) % 0xFFFFFFFE + 1, cursor + 1
            link.write(Frame("Sync", request=self._sync_request, after=cursor))

    def _enter(self, offset: int, frame: Frame) -> None:
        if offset != self._expected:
            raise ProtocolError(f"offset {offset} came in place of {self._expected}")
        self._expected = offset + 1
        self._events.put_nowait(frame)

    def _take(self, frame: Frame) -> Message | Frame | None:
        """Stores and acknowledges what the application is about to see."""
        if frame.name == "SyncNeeded":
            self._acknowledge()
            self._sync(self._link)
            return None
        message = None if frame.name in ("Gap", "PageEnd") else self._message(frame)
        self._taken = frame["offset"] if message else frame["last"]
        self.store.keep(self._taken, message)
        if frame.name == "PageEnd" and not frame["live"]:
            self._acknowledge(again=True)
        elif frame.name != "Gap" and self._due():
            self._acknowledge()
        return message or frame

    def _message(self, frame: Frame) -> Message:
        names = ("seq", "id", "sent_at", "conversation", "offset")
        common = {name: frame[name] for name in names}
        if frame.name == "Delivery":
            return Message(sender=frame["from"], body=frame["body"], peer=frame["with"], **common)
        peer, body = self.store.find(frame["id"]) or ("", None)
        return Message(sender=self.settings.user, body=body, peer=peer, **common)

    def _due(self) -> bool:
        """Version 1: each entry. Version 2: when there is a pause, or enough."""
        enough = self._taken - self._acknowledged >= ACKNOWLEDGE_EVERY
        return self.version == 1 or self._events.empty() or enough

    def _acknowledge(self, again: bool = False) -> None:
        if self._link and (again or self._taken > self._acknowledged):
            self._link.write(Frame("Acknowledge", up_to=self._taken))
            self._acknowledged = self._taken


# ---- the command ------------------------------------------------------------------------------


def show(message: Message) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(message.sent_at / 1000))
    return f"{when} {message.sender} #{message.seq}: {message.body}"


async def send(client: Client, options: argparse.Namespace) -> None:
    """send messages and wait until they are durable"""
    sends = (client.send(options.to, text) for text in options.text)
    for receipt in await asyncio.gather(*sends):
        print(f"#{receipt.seq} {receipt.id}")


async def receive(client: Client, options: argparse.Namespace) -> None:
    """print the inbox from the cursor on"""
    left = options.count
    async for event in client.events():
        if isinstance(event, Message):
            print(show(event), flush=True)
            left -= 1
        elif event.name == "Gap":
            print(f"gone: {event['first']} to {event['last']}; see history", flush=True)
        if left == 0:
            return


async def history(client: Client, options: argparse.Namespace) -> None:
    """print a page of a conversation"""
    where = options.start, options.seq, options.limit
    messages, more = await client.history(options.peer, *where)
    print(*map(show, messages), *(["(more)"] if more else []), sep="\n")


async def conversations(client: Client, options: argparse.Namespace) -> None:
    """list the conversations"""
    async for item in client.conversations():
        print(f"{item['with']} #{item['last_seq']} {item['conversation']}")


async def ping(client: Client, options: argparse.Namespace) -> None:
    """measure a ping"""
    print(f"{await client.ping() * 1000:.1f} ms, version {client.version}")


def vectors() -> None:
    """decode and encode the frames of protocol-vectors.json"""


def selftest() -> None:
    """a whole scenario between two users' devices"""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A client of an Iris server.")
    parser.add_argument("--server", default="127.0.0.1:7443", help="host:port")
    parser.add_argument("--ca", help="the CA's certificate, PEM")
    parser.add_argument("--user")
    parser.add_argument("--device", default="py")
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--protocol", type=int, choices=(1, 2), default=2)
    parser.add_argument("--store", default=":memory:", help="SQLite file with inbox and outbox")
    commands = parser.add_subparsers(required=True)

    def command(action: Callable[..., object], *names: str) -> Callable[..., argparse.Action]:
        sub = commands.add_parser(action.__name__, help=action.__doc__)
        sub.set_defaults(action=action)
        return sub.add_argument

    add = command(send)
    add("--to", required=True)
    add("text", nargs="+", help="each is a message")
    add = command(receive)
    add("--count", type=int, default=-1, help="end after so many messages")
    add = command(history)
    add("--with", dest="peer", required=True)
    add("--from", dest="start", choices=DIRECTIONS, default="latest")
    add("--seq", type=int, default=0)
    add("--limit", type=int, default=50)
    command(conversations)
    command(ping)
    command(vectors)("file", type=Path)
    add = command(selftest)
    add("--peer", required=True, help="the other user")
    add("--peer-device", default="py")
    add("--peer-token-file", type=Path, required=True)
    return parser


def settings_of(options: argparse.Namespace) -> Settings:
    if not (options.ca and options.user and options.token_file):
        raise ValueError("--ca, --user and --token-file are needed")
    login = options.user, options.device, lambda: options.token_file.read_text().strip()
    return Settings(options.server, options.ca, *login, options.protocol)


async def run(options: argparse.Namespace) -> int:
    async with Client(settings_of(options), Store(options.store)) as client:
        await options.action(client, options)
    return 0


def check(options: argparse.Namespace) -> int:
    """The subcommands `vectors` and `selftest`."""
    import iris_selftest

    if options.action is vectors:
        return iris_selftest.vectors(options.file)
    first = settings_of(options)
    token = options.peer_token_file.read_text().strip()
    second = replace(first, user=options.peer, device=options.peer_device, token=lambda: token)
    return asyncio.run(iris_selftest.selftest(first, second))


def main() -> int:
    options = arguments().parse_args()
    try:
        if options.action in (vectors, selftest):
            return check(options)
        return asyncio.run(run(options))
    except KeyboardInterrupt:
        return 130
    except (IrisError, OSError, EOFError, ValueError) as error:
        print(f"iris_client: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
