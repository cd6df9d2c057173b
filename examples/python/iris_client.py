#!/usr/bin/env python3
"""A client of the Iris protocol (docs/protocol.md), both versions, standard library only.

Class `Client` is for one thread: pings and acknowledgements go out inside its calls.
"""

import argparse
import contextlib
import json
import random
import secrets
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, groupby, islice
from pathlib import Path
from typing import Any

from iris_frames import (
    DIRECTIONS,
    KINDS,
    NAME,
    PAYLOAD_BYTES_MAX,
    TEXT,
    Body,
    Frame,
    IrisError,
    decode,
    encode,
)

Target = str | dict[str, str]  # a user's name, or {"group": id}
LOGIN_ANSWER_S, PING_S, WAITING_PING_S, PONG_S_MAX = 15.0, 10.0, 5.0, 20.0
ANSWERS = {"HistoryEnd", "Conversations", "Sent", "Devices", "Done", "Group", "Roster"}
ANSWERS |= {"Receipts", "Settings", "Presences"}
LOOK_S, SENDING_LOOK_S = 0.1, 0.001  # how long to wait for the server before sending on
@dataclass(frozen=True)
class Settings:
    """Whom to talk to, and as whom. `token` is asked anew for each login."""

    server: str
    ca: str
    user: str
    device: str
    token: Callable[[], str]
    protocol: int = 2


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def new_id(at_ms: int) -> str:
    """A UUID version 7, in hex."""
    bits = at_ms << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
    return f"{bits:032x}"


def backoff_s(attempt: int, at_least_ms: int) -> float:
    return max(random.uniform(0, min(60.0, 0.5 * 2 ** min(attempt, 10))), at_least_ms / 1000)


class Link:
    """One TLS connection, logged in, as frames."""

    def __init__(self, settings: Settings, at_ms: int) -> None:
        context = ssl.create_default_context(cafile=settings.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        host, _, port = settings.server.rpartition(":")
        connection = socket.create_connection((host, int(port)), LOGIN_ANSWER_S)
        self.socket = context.wrap_socket(connection, server_hostname=host)
        self._buffer, self.heard = b"", time.monotonic()
        login = {"token": settings.token().strip(), "device": settings.device, "at": at_ms}
        hello = Frame("Hello", versions=(1 << settings.protocol) - 1, capabilities=0)
        self.write(hello, Frame("Authenticate", **login, nonce=secrets.token_hex(16)))
        self.version: int = self._answer()["version"]
        self.ready = self._answer()

    def _answer(self) -> Frame:
        frame = next(self.read(LOGIN_ANSWER_S), None)
        if not frame or frame.name == "Refused":
            raise IrisError(frame)
        return frame

    def write(self, *frames: Frame) -> None:
        self.socket.settimeout(PONG_S_MAX)
        self.socket.sendall(b"".join(map(encode, frames)))
        self.wrote = time.monotonic()

    def read(self, wait_s: float) -> Iterator[Frame]:
        """What has come; of batches, their items. Raises Closed, and EOFError at the end."""
        self.socket.settimeout(wait_s)
        while len(self._buffer) < 3 + int.from_bytes(self._buffer[1:3], "big"):
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                return
            if not data:
                raise EOFError("the server ended the connection")
            self._buffer, self.heard = self._buffer + data, time.monotonic()
        while len(self._buffer) >= (end := 3 + int.from_bytes(self._buffer[1:3], "big")):
            frame, self._buffer = decode(self._buffer[:end]), self._buffer[end:]
            if frame.name == "Closed":
                raise IrisError(frame)
            yield from frame["items"] if frame.name == "Batch" else [frame]


class Request(Frame):
    """A request, its answer, and the history entries that came before that."""

    in_flight = False
    answer: Frame | IrisError | None = None
    entries: tuple[Frame, ...] = ()


class Client:
    """A device: it connects again, asks again, and syncs from its cursor (or the server's)."""

    def __init__(self, settings: Settings, cursor: int | None = None) -> None:
        self.settings, self.cursor, self._ahead_ms = settings, cursor, 0
        self._attempt, self._pinged, self._connect_at = 0, 0.0, 0.0
        self._requests: dict[int, Request] = {}  # without an answer, in order
        self._numbers = (number % 0xFFFFFFFE + 1 for number in count())
        self._held, self._refusals, self._send_at = False, 0, 0.0
        self._queue: list[Frame] = []  # Sync and Acknowledge
        self._events: deque[Frame] = deque()
        self._receiving = self._syncing = False
        self._drain: Frame | None = None
        self._link: Link | None = None
        self._until(lambda: self._link)

    def post(self, to: Target, body: str | bytes, kind: int = TEXT) -> Request:
        """Queues a message; any call that waits sends it."""
        data = body.encode() if isinstance(body, str) else body
        is_name = isinstance(to, dict) or NAME.fullmatch(to.encode())
        if not is_name or not 1 <= len(data) <= self._ready["body_bytes_max"]:
            raise ValueError("not a name, or a body that is empty or too long")
        message_id = new_id(now_ms() + self._ahead_ms)
        return self.ask("SendMessage", id=message_id, to=to, body=Body(kind, data))

    def result(self, request: Request) -> Frame:
        """The answer (Sent for a message), or IrisError if it is refused for good."""
        self._until(lambda: request.answer)
        if isinstance(request.answer, IrisError):
            raise request.answer
        return request.answer

    def events(self) -> Iterator[Frame]:
        """The inbox; an event and `cursor` are to be stored before the next is asked for."""
        if not self._receiving:
            self._receiving = True
            self._sync()
        while True:
            self._until(lambda: self._events)
            event = self._events.popleft()
            if event.name == "SyncNeeded":
                self._acknowledge()
                self._sync()
                continue
            self.cursor = event.get("last", event.get("offset"))
            yield event
            if event.get("live") is False:
                self._acknowledge(again=True)
            elif event.name != "Gap" and (self.version == 1 or not self._events):
                self._acknowledge()

    def messages(self) -> Iterator[Frame]:
        """Of the events, those with messages and changes of groups."""
        return (event for event in self.events() if "offset" in event and "id" in event)

    def create_group(self, title: str, members: list[str], policy: int = 1) -> str:
        """The id of a new group, whose members are in it at once unless the policy says no."""
        values = {"policy": policy, "title": title, "description": "", "members": members}
        made = self.ask("CreateGroup", id=new_id(now_ms() + self._ahead_ms), **values)
        return str(self.result(made)["conversation"])

    def history(
        self, peer: Target, start: str = "latest", seq: int = 0
    ) -> tuple[list[Frame], bool]:
        """A page of a conversation, ascending by seq, and whether there is more beyond it."""
        request = self.ask("ReadHistory", **{"with": peer, "from": start, "seq": seq, "limit": 64})
        more = self.result(request)["more"]
        return list(request.entries), more

    def conversations(self) -> Iterator[Frame]:
        """All conversations, as the items of Conversations."""
        page = Frame("", items=[Frame("", conversation=None)], more=True)
        while page["more"]:
            after = page["items"][-1]["conversation"]
            page = self.result(self.ask("ListConversations", after=after, limit=256))
            yield from page["items"]

    def close(self) -> None:
        """Ends the connection, behind what is queued; a call that waits connects again."""
        self._acknowledge()
        with contextlib.suppress(OSError):
            self._send()
        self._link.socket.close()

    def _until(self, done: Callable[[], object]) -> None:
        """Sends and receives until it is done."""
        while not done():
            try:
                if not self._link:
                    time.sleep(max(0.0, self._connect_at - time.monotonic()))
                    self._connect()
                sent = self._send()
                for frame in self._link.read(SENDING_LOOK_S if sent else LOOK_S):
                    self._handle(frame)
                self._watch(self._link)
            except (ssl.SSLCertVerificationError, FileNotFoundError):
                raise
            except (OSError, EOFError, ValueError, IrisError) as error:
                self._lost(error if isinstance(error, IrisError) else IrisError())

    def _connect(self) -> None:
        self._link = link = Link(self.settings, now_ms() + self._ahead_ms)
        self._ready, self._acknowledged = link.ready, link.ready["cursor"]
        self._ahead_ms, self._attempt, self._pinged = link.ready["server_time"] - now_ms(), 0, 0.0
        self.version = link.version
        self.cursor = self._acknowledged if self.cursor is None else self.cursor
        if self._receiving:
            self._sync()

    def _lost(self, error: IrisError) -> None:
        """What the end of a connection means: a while to wait, or the end of the client."""
        if self._link:
            self._link.socket.close()
        for request in self._requests.values():
            request.in_flight, request.entries = False, ()
        self._events.clear()  # not stored: it comes again
        self._queue.clear()
        drain, self._drain, self._link = self._drain, None, None
        if not error.retryable:
            raise error
        if error.name == "stale_timestamp":
            self._ahead_ms = error.server_time - now_ms()
        wait_s = backoff_s(self._attempt, error.after_ms)
        if drain:
            wait_s = (drain["reconnect_after_ms"] + random.uniform(0, drain["jitter_ms"])) / 1000
        self._connect_at, self._attempt = time.monotonic() + wait_s, self._attempt + 1

    def _watch(self, link: Link) -> None:
        """Pings if need be, and ends a connection whose server is dead."""
        now, quiet_s = time.monotonic(), min(PING_S, link.ready["idle_ms_max"] / 3000)
        waiting = self._pinged > link.heard
        silent = (self._requests or self._syncing) and now - link.heard > WAITING_PING_S
        if waiting and now - self._pinged > PONG_S_MAX:
            raise TimeoutError("the server is silent")
        if now - link.wrote > quiet_s or silent and not waiting:
            link.write(Frame("Ping", token=0))
            self._pinged = self._pinged if waiting else now

    def _handle(self, frame: Frame) -> None:
        request = self._requests.get(frame.get("request", 0))
        match frame.name:
            case "PageEnd" | "SyncNeeded":
                self._syncing = not frame.get("live", True)
                self._events.append(frame)
            case "Drain":
                self._drain = frame
            case "Refused":
                self._refused(IrisError(frame), request)
            case "HistoryEntry" | "HistoryBatch" if request:
                request.entries += tuple(frame.get("entries") or [frame["entry"]])
            case _ if request and frame.name in ANSWERS:
                request.answer, self._refusals = frame, 0
                del self._requests[frame["request"]]
        if self._receiving and (frame.name == "Gap" or frame.get("offset")):
            first, last = (frame.get(name, frame.get("offset")) for name in ("first", "last"))
            if first != self._expected or last < first:
                raise ValueError(f"offset {first} came in place of {self._expected}")
            self._expected = last + 1
            self._events.append(frame)

    def ask(self, name: str, **values: Any) -> Request:
        number = next(self._numbers)
        return self._requests.setdefault(number, Request(name, request=number, **values))

    def _send(self) -> bool:
        """Sends what is not in flight, as much as a frame holds."""
        if self._queue:
            self._link.write(*self._queue)
            self._queue.clear()
        in_flight = sum(request.in_flight for request in self._requests.values())
        if self._drain or self._held and (in_flight or time.monotonic() < self._send_at):
            return False
        requests, size, limits = [], 2, self._ready
        room = min(limits["requests_in_flight_max"] - in_flight, limits["batch_items_max"])
        previous: dict[str, str] = {}
        self._held = False
        for request in self._requests.values():
            if not request.in_flight:
                request["previous"] = previous.get(str(request.get("to")))
                size += len(encode(request)) - 3
                if len(requests) >= room or size > PAYLOAD_BYTES_MAX:
                    break
                request.in_flight = True
                requests.append(request)
            if request.name == "SendMessage":
                previous[str(request["to"])] = request["id"]
        for name, group in groupby(requests, lambda request: request.name):
            batch = name == "SendMessage" and self.version > 1
            self._link.write(*([Frame("SendBatch", items=list(group))] if batch else group))
        return bool(requests)

    def _refused(self, error: IrisError, request: Request | None) -> None:
        """Asks again when all is answered and some time later, or gives it up."""
        if not request:
            raise error
        request.in_flight = False
        if error.name == "id_in_future":
            self._ahead_ms = error.server_time - now_ms()
            request["id"] = new_id(error.server_time)
        if error.retryable:
            wait_s = backoff_s(0 if self._held else self._refusals, error.after_ms)
            self._refusals += not self._held
            self._held, self._send_at = True, max(self._send_at, time.monotonic() + wait_s)
        else:
            request.answer = error
            del self._requests[request["request"]]

    def _sync(self) -> None:
        self._expected, self._syncing = self.cursor + 1, True
        self._queue.append(Frame("Sync", request=next(self._numbers), after=self.cursor))

    def _acknowledge(self, again: bool = False) -> None:
        if again or self._receiving and self.cursor > self._acknowledged:
            self._queue.append(Frame("Acknowledge", up_to=self.cursor))
            self._acknowledged = self.cursor


def equal(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")
    print(f"ok  {what}", flush=True)


def revive(value: dict[str, Any]) -> Any:
    """Bodies and the items of a batch as the codec has them."""
    if "kind" in value:
        data = bytes.fromhex(value["hex"]) if "hex" in value else value["text"].encode()
        return Body(value["kind"], data)
    entry = value.keys() & {*KINDS.values(), "LaterEntry"}
    return value[entry.pop()] if entry else value


def vectors(path: str) -> None:
    """A client's frames to bytes, a server's to fields."""
    file = json.loads(Path(path).read_text(), object_hook=revive)
    for each in file["frames"] + file["extended"]:
        name, fields, data = each["frame"], each["fields"], bytes.fromhex(each["bytes"])
        if each["from"] == "server":
            fields.pop("opcode", None)  # a tagged field
            equal(f"decode {name}", (decode(data).name, decode(data)), (name, fields))
        elif each in file["frames"]:
            equal(f"encode {name}", encode(Frame(name, **fields)), data)


def selftest(first: Settings, second: Settings) -> None:
    """Two users' devices; raises at what the server or the client does wrong."""
    run, to = secrets.token_hex(3), second.user
    lines = [f"{run} {number}" for number in range(800)]
    alice, bob = Client(first), Client(second)
    inbox, own = bob.messages(), alice.messages()

    def send(start: int, end: int) -> list[Frame]:
        return [alice.result(post) for post in [alice.post(to, line) for line in lines[start:end]]]

    def texts(entries: Iterator[Frame], number: int) -> list[str]:
        return [str(each["body"]) for each in islice(entries, number)]

    sent = send(0, 100)
    first_seq = sent[0]["seq"]
    equal("100 pipelined, in order", [each["seq"] - first_seq for each in sent], [*range(100)])
    equal("received, in order, once", texts(inbox, 100), lines[:100])
    posts = [alice.post(to, line) for line in (b"\xff", *lines[100:200])]
    alice.close()
    sent += [alice.result(post) for post in posts[1:]]
    equal("behind a refused one, over a broken connection", texts(inbox, 100), lines[100:200])
    bob.close()
    sent += send(200, 800)
    bob = Client(second, bob.cursor)
    equal("600 by sync from the cursor", texts(bob.messages(), 600), lines[200:])
    page, _ = bob.history(first.user, "after", first_seq - 1)
    after, _ = bob.history(first.user, "after", page[-1]["seq"])
    equal("history forward", texts(iter(page + after), 128), lines[:128])
    page, more = bob.history(first.user)
    before, _ = bob.history(first.user, "before", page[0]["seq"])
    equal("history backward", (texts(iter(before + page), 128), more), (lines[-128:], True))
    last = {str(item["with"]): item["last_seq"] for item in alice.conversations()}
    equal("conversations", last[to], sent[-1]["seq"])
    equal("own entries", [each["id"] for each in islice(own, 800)], [each["id"] for each in sent])
    groups(alice, bob, to)
    other = replace(first, device=f"{first.device}-{run}")
    refusals(Link(other, now_ms()), to)
    alice.result(alice.ask("RenameDevice", device=other.device, label="Büro"))
    listed = alice.result(alice.ask("ListDevices"))["items"]
    alice.result(alice.ask("RevokeDevice", device=other.device))
    try:
        raise AssertionError(f"a revoked device is let in: {Link(other, now_ms()).ready}")
    except IrisError as error:
        equal("a device", (listed[-1]["label"], error.name), ("Büro", "device_revoked"))


def groups(alice: Client, bob: Client, to: str) -> None:
    """A group of both, a message, who has read it."""
    group: Target = {"group": alice.create_group("Tea 🍵", [to])}
    sent = alice.result(alice.post(group, "to all"))
    got = [(each["title"], each["seq"]) for each in islice(bob.messages(), 2)]
    equal("a group", got, [("Tea 🍵", 1), ("Tea 🍵", sent["seq"])])
    page, more = bob.history(group)
    equal("its history", ([each["body"].kind for each in page], more), ([0, TEXT], False))
    bob.result(bob.ask("MarkRead", target=group, seq=sent["seq"]))
    receipts = (each for each in alice.events() if each.name == "GroupReceipt")
    read = next(each for each in receipts if each["read"])
    equal("read by all", (read["seq"], read["members"]), (sent["seq"], 1))
    question = {"target": group, "seq": sent["seq"], "after": None, "limit": 9}
    by = alice.result(alice.ask("ReadReceipts", **question))["items"]
    equal("read by whom", [(each["user"], each["read"]) for each in by], [(to, sent["seq"])])
    leave = {"id": new_id(now_ms()), "change": {"leave": None}}
    bob.result(bob.ask("ChangeGroup", **group, **leave))
    try:
        raise AssertionError(f"who left writes: {bob.result(bob.post(group, 'still here'))}")
    except IrisError as error:
        equal("who left", error.name, "not_member")


def refusals(link: Link, to: str) -> None:
    """What a good client would not send."""
    usual = {"request": 7, "id": new_id(now_ms()), "previous": None, "to": to}
    page = Frame("ReadHistory", request=7, **{"with": to, "from": "latest", "seq": 0, "limit": 0})
    first, other, long = (
        Frame("SendMessage", **usual, body=Body(TEXT, text)) for text in (b"a", b"b", b"c" * 32_769)
    )
    unknown = Frame("SendMessage", **(other | {"id": new_id(now_ms()), "previous": new_id(0)}))
    link.write(first, first, other, long, unknown, page, Frame("Ping", token=1))
    answers: list[Frame] = []
    while len(answers) < 7:
        answers += link.read(10)
    names = [IrisError(each).name if each.name == "Refused" else each.name for each in answers]
    wanted = ["Pong", "Sent", "Sent", "bad_frame", "id_conflict", "invalid_body", "out_of_order"]
    equal("answers, and the connection lives", sorted(names), wanted)
    equal("a message sent again", len({each["seq"] for each in answers if each.name == "Sent"}), 1)


def show(message: Frame) -> str:
    return f"#{message['seq']} {message.get('from', 'sent')}: {message.get('body', message['id'])}"


def main() -> None:
    parser = argparse.ArgumentParser(description="A client of an Iris server.")
    commands = "send", "receive", "history", "conversations", "group", "vectors", "selftest"
    parser.add_argument("command", choices=commands)
    parser.add_argument("words", nargs="*", help="send: messages; group: title, members")
    parser.add_argument("--server", default="127.0.0.1:7443", help="host:port")
    parser.add_argument("--protocol", type=int, choices=(1, 2), default=2)
    parser.add_argument("--device", default="py")
    parser.add_argument("--peer", "--to", "--with", help="the other user")
    parser.add_argument("--from", dest="start", choices=DIRECTIONS, default="latest")
    for name in ("--group", "--ca", "--user", "--token-file", "--peer-token-file"):
        parser.add_argument(name)
    for name in ("--cursor", "--count", "--seq"):
        parser.add_argument(name, type=int)
    options = parser.parse_intermixed_args()
    if options.command == "vectors":
        return vectors(*options.words)
    login = options.user, options.device, Path(options.token_file).read_text
    settings = Settings(options.server, options.ca, *login, options.protocol)
    if options.command == "selftest":
        token = Path(options.peer_token_file).read_text
        return selftest(settings, replace(settings, user=options.peer, token=token))
    client = Client(settings, options.cursor)
    peer = {"group": options.group} if options.group else options.peer
    match options.command:
        case "send":
            for post in [client.post(peer, text) for text in options.words]:
                print(show(client.result(post)))
        case "receive":
            for message in islice(client.messages(), options.count):
                print(show(message), f"(cursor {client.cursor})", flush=True)
        case "history":
            page, more = client.history(peer, options.start, options.seq or 0)
            print(*map(show, page), "(more)" if more else "(end)", sep="\n")
        case "conversations":
            for item in client.conversations():
                peer, number = item["with"], f"#{item['last_seq']}, {item['unread']} unread"
                name = peer if isinstance(peer, str) else peer["title"]
                print(name, number, item["conversation"])
        case "group":
            print(client.create_group(options.words[0], options.words[1:]))
    client.close()


if __name__ == "__main__":
    try:
        main()
    except (IrisError, OSError, AssertionError) as error:
        sys.exit(f"iris_client: {error}")
