"""The checks behind `iris_client.py vectors` and `iris_client.py selftest`."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from iris_client import Client
from iris_link import Clock, Link, Settings, new_id
from iris_store import Message, Receipt, Store
from iris_wire import TEXT, Body, Frame, IrisError, ProtocolError, decode, encode

ANSWER_S = 30.0


class Report:
    """Prints what was checked."""

    def __init__(self) -> None:
        self.failed = 0

    def check(self, what: str, good: bool, detail: object = "") -> None:
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}" + ("" if good else f": {detail}"), flush=True)

    def equal(self, what: str, got: object, wanted: object) -> None:
        self.check(what, got == wanted, f"got {got!r}, wanted {wanted!r}")


# ---- the vectors ------------------------------------------------------------------------------


def revive(value: dict[str, Any]) -> Any:
    """Bodies and items of a batch as the codec has them."""
    match value:
        case {"kind": kind, "text": text}:
            return Body(kind, text.encode())
        case {"kind": kind, "hex": data}:
            return Body(kind, bytes.fromhex(data))
        case {"Sent": fields} | {"Delivery": fields} | {"OwnSent": fields}:
            return Frame(next(iter(value)), **fields)
    return value


def refuses(data: bytes) -> bool:
    try:
        decode(data)
    except ProtocolError:
        return True
    return False


def vectors(path: Path) -> int:
    """Every frame from bytes to fields and back; 0 if all are right."""
    report = Report()
    file = json.loads(path.read_text(), object_hook=revive)
    for each in file["frames"] + file["extended"]:
        data = bytes.fromhex(each["bytes"])
        frame = decode(data)
        same = frame is not None and (frame.name, frame) == (each["frame"], each["fields"])
        report.check(f"decode {each['frame']}", same, frame)
    for each in file["frames"]:
        frame = Frame(each["frame"], **each["fields"])
        report.equal(f"encode {each['frame']}", encode(frame).hex(), each["bytes"])
    for each in file["malformed"]:
        report.check(f"refuse: {each['why']}", refuses(bytes.fromhex(each["bytes"])))
    return int(report.failed > 0)


# ---- the scenario -----------------------------------------------------------------------------


async def take(events: AsyncIterator[Message | Frame], count: int) -> list[Message]:
    messages: list[Message] = []
    async with asyncio.timeout(ANSWER_S):
        while len(messages) < count:
            event = await anext(events)
            messages += [event] if isinstance(event, Message) else []
    return messages


async def catch_up(events: AsyncIterator[Message | Frame]) -> None:
    async with asyncio.timeout(ANSWER_S):
        async for event in events:
            if not isinstance(event, Message) and event.get("live"):
                return


def texts(messages: list[Message]) -> list[str]:
    return [str(message.body) for message in messages]


def dense(numbers: list[int]) -> bool:
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


class Raw:
    """A connection that may send what a good client would not."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def __aenter__(self) -> Raw:
        self._link = await Link.open(self.settings.server, self.settings.ca)
        await self._link.log_in(self.settings, Clock())
        self._frames = self._link.frames()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    async def ask(self, frame: Frame) -> Frame:
        self._link.write(frame)
        return await self.next()

    async def next(self) -> Frame:
        async with asyncio.timeout(ANSWER_S):
            return await anext(self._frames)

    async def refusal(self, frame: Frame) -> str:
        """The name of the error in the answer."""
        return self.name(await self.ask(frame))

    @staticmethod
    def name(answer: Frame) -> str:
        return IrisError.of(answer).name if answer.name == "Refused" else answer.name

    async def end(self) -> str:
        """Why the server ends the connection."""
        try:
            return (await self.next()).name
        except IrisError as error:
            return error.name


def message(to: str, text: str | Body, **fields: Any) -> Frame:
    body = text if isinstance(text, Body) else Body(TEXT, text.encode())
    some = {"request": 7, "id": new_id(Clock().now()), "previous": None, "to": to, "body": body}
    return Frame("SendMessage", **some | fields)


class Scenario:
    """Two users' devices."""

    def __init__(self, first: Settings, second: Settings) -> None:
        self.first, self.second = first, second
        self.run = secrets.token_hex(3)
        self.report = Report()
        self.all: list[str] = []
        self.seqs: list[int] = []

    def lines(self, what: str, count: int) -> list[str]:
        self.all += (lines := [f"{self.run} {what} {number}" for number in range(count)])
        return lines

    async def send(self, client: Client, lines: list[str], cut: bool = False) -> None:
        """Sends all at once; `cut`: the connection breaks before the answers."""
        sends = [asyncio.create_task(client.send(self.second.user, line)) for line in lines]
        if cut:
            await asyncio.sleep(0.01)
            client.drop_connection()
        async with asyncio.timeout(ANSWER_S):
            self.seqs += [receipt.seq for receipt in await asyncio.gather(*sends)]

    async def play(self) -> None:
        check, equal = self.report.check, self.report.equal
        kept = Store()
        async with Client(self.first) as alice:
            equal(f"{self.first.user} logs in, version", alice.version, self.first.protocol)
            own = alice.events()
            await catch_up(own)
            async with Client(self.second, kept) as bob:
                inbox = bob.events()
                await catch_up(inbox)
                lines = self.lines("pipelined", 100)
                await self.send(alice, lines)
                check("100 pipelined sends have receipts, in order", dense(self.seqs), self.seqs)
                got = await take(inbox, 100)
                equal("100 pushed messages, in order, once", texts(got), lines)
                check("their offsets are dense", dense([each.offset for each in got]))
                equal("their seqs are the receipts'", [each.seq for each in got], self.seqs)
                same = [each.body for each in await take(own, 100)] == [each.body for each in got]
                check("the sender's own inbox has them, too", same)
                lines = self.lines("cut", 100)
                await self.send(alice, lines, cut=True)
                equal("100 over a broken connection, once", texts(await take(inbox, 100)), lines)
                same = texts(await take(own, 100)) == lines
                check("the sender's own inbox has them, once", same)
                check("ping", await bob.ping() < ANSWER_S)
                await self.give_up(alice)
                equal("its follower, pushed", texts(await take(inbox, 1)), self.all[-1:])
            lines = self.lines("away", 600)
            await self.send(alice, lines)
            async with Client(self.second, kept) as bob:
                got = await take(bob.events(), 600)
                equal("600 by sync from the cursor, in pages", texts(got), lines)
                check("all seqs are dense", dense(self.seqs), self.seqs)
                await self.history(bob)
            await self.conversations(alice)
        async with Raw(replace(self.first, device=f"{self.first.device}-raw")) as raw:
            await self.refusals(raw)
            async with Raw(raw.settings):
                equal("a second connection replaces the first", await raw.end(), "replaced")
        await self.logins()

    async def give_up(self, client: Client) -> None:
        """A send that is refused for good does not hold up the one behind it."""
        bodies: tuple[bytes | str, ...] = (b"\xff", *self.lines("behind a refused one", 1))
        sends = (client.send(self.second.user, body) for body in bodies)
        async with asyncio.timeout(ANSWER_S):
            bad, good = await asyncio.gather(*sends, return_exceptions=True)
        self.report.equal("text that is not UTF-8, by the client", str(bad), "invalid_body")
        self.report.check("a send behind a refused one", isinstance(good, Receipt), good)
        if isinstance(good, Receipt):
            self.seqs.append(good.seq)

    async def history(self, client: Client) -> None:
        forward: list[Message] = []
        more, seq = True, self.seqs[0] - 1
        while more:
            page, more = await client.history(self.first.user, "after", seq, 64)
            forward += page
            seq = page[-1].seq
        self.report.equal("history forward", texts(forward), self.all)
        page, more = await client.history(self.first.user, limit=64)
        backward = page
        while more and page[0].seq > self.seqs[0]:
            page, more = await client.history(self.first.user, "before", page[0].seq, 64)
            backward = page + backward
        self.report.equal("history backward", texts(backward)[-len(self.all) :], self.all)

    async def conversations(self, client: Client) -> None:
        last = {item["with"]: item["last_seq"] async for item in client.conversations()}
        self.report.equal("conversations", last.get(self.second.user), self.seqs[-1])

    async def refusals(self, raw: Raw) -> None:
        equal, to, now = self.report.equal, self.second.user, Clock().now()
        first = message(to, f"{self.run} first")
        sent = await raw.ask(first)
        again = await raw.ask(first.but(request=8))
        equal("a message under its own id", sent.name, "Sent")
        wanted = [sent.get(name) for name in ("id", "seq", "sent_at")]
        equal("sent again", [again.get(name) for name in ("id", "seq", "sent_at")], wanted)
        cases = {
            "id_conflict": message(to, "another body", id=first["id"]),
            "invalid_body": message(to, Body(TEXT, b"\xff")),
            "invalid_name": message("no name", "x"),
            "invalid_id": message(to, "x", id="00" * 16),
            "id_too_old": message(to, "x", id=new_id(now - 8 * 86_400_000)),
            "id_in_future": message(to, "x", id=new_id(now + 600_000)),
            "out_of_order": message(to, "x", previous=new_id(now)),
            "bad_frame": Frame(
                "ReadHistory", request=9, **{"with": to, "from": "latest", "seq": 0, "limit": 0}
            ),
            "cursor_ahead": Frame("Sync", request=9, after=2**60),
        }
        for wanted_name, frame in cases.items():
            equal(f"refused: {wanted_name}", await raw.refusal(frame), wanted_name)
        equal("an empty body", await raw.refusal(message(to, Body(9, b""))), "invalid_body")
        equal("too long a body", await raw.refusal(message(to, "x" * 32_769)), "invalid_body")
        if self.first.protocol > 1:
            bad, good = message(to, Body(TEXT, b"\xff")), message(to, "good", request=8)
            answers = [await raw.ask(Frame("SendBatch", items=[bad, good])), await raw.next()]
            names = {each["request"]: raw.name(each) for each in answers}
            equal("a bad item of a batch, alone", names, {7: "invalid_body", 8: "Sent"})
        equal("the connection lives", await raw.refusal(Frame("Ping", token=1)), "Pong")

    async def logins(self) -> None:
        wrong = {
            "bad_token": replace(self.first, token=lambda: "no.token.here"),
            "invalid_name": replace(self.first, device="no name"),
        }
        for name, settings in wrong.items():
            try:
                async with Raw(settings):
                    got = "Ready"
            except IrisError as error:
                got = error.name
            self.report.equal(f"a login with {name}", got, name)


async def selftest(first: Settings, second: Settings) -> int:
    """0 if the server and the client do all that the document says."""
    scenario = Scenario(first, second)
    try:
        await scenario.play()
    except (IrisError, OSError, EOFError) as error:
        scenario.report.check("the scenario", False, repr(error))
    print(f"{scenario.report.failed} failed")
    return int(scenario.report.failed > 0)
