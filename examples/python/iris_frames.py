"""Frames of the Iris protocol (docs/protocol.md, section 4): to a server and from one."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TEXT, PAYLOAD_BYTES_MAX, NAME = 1, 65_535, re.compile(rb"[A-Za-z0-9._@+-]{1,64}")
DIRECTIONS = "latest", "before", "after"
KINDS = dict(enumerate(("Delivery", "OwnSent", "Sent"), 1))
ENTRIES = "GroupDelivery", "Receipt", "GroupReceipt", "ConversationState", "SettingsEntry"
KINDS |= dict(enumerate(ENTRIES, 16))  # with their length, so that unknown ones can be skipped
CHANGES = "invite", "add", "remove", "accept", "leave", "rename", "describe", "role", "policy"
LATER = range(0xB0, 0xC0)  # entries of later versions: they begin with their offset

# Every frame: opcode, name and fields, some to a line; then items.
TABLE = """
    01 Hello versions:4 capabilities:4; 02 Authenticate token:token device:name nonce:id at:8
    03 Sync request:4 after:8; 04 Acknowledge up_to:8
    05 SendMessage request:4 id:id previous:id? to:target body:body
    06 ReadHistory request:4 with:target from:direction seq:8 limit:2
    07 ListConversations request:4 after:id? limit:2; 08 Ping token:8; 09 ListDevices request:4
    0a RenameDevice request:4 device:name label:name; 0b RevokeDevice request:4 device:name
    0c CreateGroup request:4 id:id policy:1 title:name description:text members:name*
    0d ChangeGroup request:4 id:id group:id change:change; 0e ReadGroup request:4 group:id
    0f ReadRoster request:4 group:id after:name? limit:2; 10 MarkRead request:4 target:target seq:8
    11 ReadReceipts request:4 target:target seq:8 after:name? limit:2
    12 SetFlags request:4 target:target mask:1 values:1; 13 BlockUser request:4 user:name on:flag
    14 ReadSettings request:4
    15 ChangeSettings request:4 mask:1 read_receipts:flag last_seen:1 typing:flag
    16 Watch request:4 items:Watched*; 17 ReadPresence request:4 items:Watched*
    18 Typing target:target on:flag; 20 SendBatch items:SendMessage*
    81 ServerHello version:1 capabilities:4
    82 Ready cursor:8 last:8 server_time:8 body_bytes_max:4 batch_items_max:2 \
       requests_in_flight_max:2 window_entries_max:4 window_bytes_max:4 idle_ms_max:4
    83 Refused request:4 code:2 retryable:flag retry_after_ms:4 server_time:8
    84 Sent request:4 id:id conversation:id seq:8 sent_at:8 offset:8
    85 Delivery offset:8 conversation:id seq:8 id:id from:name with:other sent_at:8 body:body
    86 OwnSent offset:8 conversation:id seq:8 id:id sent_at:8
    87 Gap first:8 last:8; 88 PageEnd request:4 last:8 log_end:8 live:flag; 89 SyncNeeded last:8
    8a HistoryEntry request:4 entry:Entry; 8b HistoryEnd request:4 conversation:id more:flag
    8c Conversations request:4 more:flag items:Conversation*
    8d Pong token:8; 8f Closed code:2 retryable:flag retry_after_ms:4
    8e Drain reconnect_after_ms:4 jitter_ms:4; 90 Devices request:4 items:Device*
    91 Done request:4
    92 GroupDelivery offset:8 group:id seq:8 id:id from:name title:label sent_at:8 body:body
    93 Receipt offset:8 conversation:id user:name delivered:8 read:8 at:8
    94 GroupReceipt offset:8 group:id seq:8 delivered:4 read:4 members:4 \
       everybody_delivered:8 everybody_read:8 at:8
    95 ConversationState offset:8 conversation:id read:8 unread:8 flags:1 at:8
    96 SettingsEntry offset:8 read_receipts:flag last_seen:1 typing:flag at:8
    97 Group request:4 group:id title:label description:text policy:1 created_at:8 members:4 \
       invited:4 role:1 last_seq:8
    98 Roster request:4 more:flag items:Member*
    99 Receipts request:4 delivered:4 read:4 members:4 more:flag items:Marks*
    9a Settings request:4 read_receipts:flag last_seen:1 typing:flag
    9b Presences request:4 items:Presence*; 9c Presence user:name state:1 last_seen:8
    9d TypingNotice conversation:id user:name on:flag
    a0 Batch items:Kind+; a1 HistoryBatch request:4 entries:Entry+; b0 LaterEntry offset:8
    00 Entry seq:8 id:id from:name sent_at:8 body:body
    00 Conversation conversation:id with:peer standing:1 last_seq:8 read:8 unread:8 flags:1 \
       last_from:name last_sent_at:8 last_body:body
    00 Device device:name label:label registered_at:8 last_login:8 online:flag
    00 Member user:name role:1 since:8; 00 Marks user:name delivered:8 read:8
    00 Watched user:name group:id?
"""
ROWS = [row.split() for row in re.split("[\n;]", TABLE.strip())]
LAYOUTS = {name: [field.split(":") for field in fields] for _, name, *fields in ROWS}
OPCODES = {name: int(opcode, 16) for opcode, name, *_ in ROWS}
NAMES = {opcode: name for name, opcode in OPCODES.items() if opcode >= 0x80}
ERROR_TABLE = """
    0 disconnected 100 bad_frame 101 unknown_opcode 102 unsupported_version 103 wrong_state
    104 timed_out 200 bad_token 201 token_expired 202 token_revoked 203 stale_timestamp
    204 nonce_replayed 205 replaced 206 invalid_name 207 too_many_devices 208 device_revoked
    209 unknown_device 300 invalid_body 301 id_conflict 302 id_too_old 303 id_in_future
    304 out_of_order 305 invalid_id 400 cursor_ahead 401 not_member 402 group_full
    403 not_allowed 404 unknown_member 405 not_accepted 406 unknown_conversation
    407 invalid_group 500 busy 501 storage_full 502 data_corrupt 503 draining 504 unavailable
    505 rate_limited
"""
ERRORS = {int(code): name for code, name in re.findall(r"(\d+) (\w+)", ERROR_TABLE)}


class Frame(dict[str, Any]):
    """The fields of a frame by their names in the document; ids are in hex."""

    def __init__(self, name: str, /, **values: Any) -> None:
        super().__init__(values)
        self.name = name


class IrisError(Exception):
    """A Refused or a Closed; without one, the connection just ended."""

    def __init__(self, frame: Frame | None = None) -> None:
        frame = frame or Frame("", code=0, retryable=True, retry_after_ms=0)
        self.retryable, self.after_ms = frame["retryable"], frame["retry_after_ms"]
        self.server_time = frame.get("server_time", 0)
        self.name = ERRORS.get(frame["code"], f"error {frame['code']}")
        super().__init__(self.name)


@dataclass(frozen=True)
class Body:
    kind: int
    data: bytes

    def __str__(self) -> str:
        return self.data.decode() if self.kind == TEXT else self.data.hex()


class Source(io.BytesIO):
    """A payload that is read from its front; ValueError where it breaks the protocol."""

    def take(self, size: int) -> bytes:
        if len(data := self.read(size)) < size:
            raise ValueError("the payload ends inside a field")
        return data

    def number(self, size: int, low: int = 0, high: int = 2**64) -> int:
        value = int.from_bytes(self.take(size), "big")
        if not low <= value <= high:
            raise ValueError(f"a field may not be {value}")
        return value

    def word(self) -> str:
        name = self.take(self.number(1))
        if name and not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name")
        return name.decode()

    def field(self, kind: str) -> Any:
        """One field of the kind that the table names."""
        if kind[-1] in "+*":
            return [self.field(kind[:-1]) for _ in range(self.number(2, int(kind[-1] == "+")))]
        if kind == "Kind":
            return self.item(self.number(1))
        return READ[kind](self) if kind in READ else self.fields(kind)

    def item(self, kind: int) -> Frame:
        """An item of a batch."""
        if kind >= 16:
            return Source(self.take(self.number(2))).fields(KINDS.get(kind, "LaterEntry"))
        if kind not in KINDS:
            raise ValueError(f"there is no item of kind {kind}")
        return self.fields(KINDS[kind])

    def fields(self, name: str) -> Frame:
        """All the fields of a frame or of an item."""
        frame = Frame(name)
        for each, kind in LAYOUTS[name]:
            value = self.field(kind)
            frame[each] = frame["from"] if kind == "other" and not value else value
        return frame


READ: dict[str, Callable[[Source], Any]] = {
    **{size: lambda source, size=int(size): source.number(size) for size in "1248"},
    "flag": lambda source: bool(source.number(1, 0, 1)),
    "id": lambda source: source.take(16).hex(),
    "body": lambda source: Body(source.number(1), source.take(source.number(2))),
    "name": Source.word,
    "label": lambda source: source.take(source.number(1)).decode() or None,
    "text": lambda source: source.take(source.number(2)).decode(),
    "other": Source.word,
    "peer": lambda source: source.word() or {"title": READ["label"](source)},
}


def change_payload(change: dict[str, Any]) -> bytes:
    """One of CHANGES and what it needs, as in {"invite": "bob"}."""
    ((kind, value),) = change.items()
    needs = {"describe": "text", "policy": "1", "role": "Role"}.get(kind, "name")
    return bytes([CHANGES.index(kind) + 1]) + (b"" if value is None else WRITE[needs](value))


def target_payload(target: str | dict[str, str]) -> bytes:
    """A user's name, or {"group": id}."""
    if isinstance(target, dict):
        return bytes(1) + bytes.fromhex(target["group"])
    return WRITE["name"](target)


def items_payload(kind: str) -> Callable[[list[Any]], bytes]:
    def write(items: list[Any]) -> bytes:
        each = WRITE.get(kind, lambda item: payload(item, kind))
        return WRITE["2"](len(items)) + b"".join(map(each, items))

    return write


WRITE: dict[str, Callable[[Any], bytes]] = {
    **{size: lambda value, size=int(size): value.to_bytes(size, "big") for size in "1248"},
    "direction": lambda value: bytes([DIRECTIONS.index(value)]),
    "id": bytes.fromhex,
    "id?": lambda value: bytes([value is not None]) + bytes.fromhex(value or ""),
    "token": lambda value: WRITE["2"](len(value)) + value.encode(),
    "flag": lambda value: bytes([value]),
    "name": lambda value: WRITE["1"](len(value.encode())) + value.encode(),
    "name?": lambda value: WRITE["name"](value or ""),
    "text": lambda value: WRITE["2"](len(value.encode())) + value.encode(),
    "target": target_payload,
    "change": change_payload,
    "Role": lambda value: bytes([value["role"]]) + WRITE["name"](value["user"]),
    "body": lambda body: bytes([body.kind]) + WRITE["2"](len(body.data)) + body.data,
    **{f"{kind}*": items_payload(kind) for kind in ("SendMessage", "Watched", "name")},
}


def decode(data: bytes) -> Frame:
    """A server's frame, header included; one without a name if the opcode is not known."""
    source = Source(data[3:])
    if data[0] in LATER:
        return source.fields("LaterEntry")
    if data[0] not in NAMES:
        return Frame("")
    frame = source.fields(NAMES[data[0]])
    while source.read(1):  # a tagged field: none is needed here
        source.take(source.number(2))
    return frame


def payload(values: dict[str, Any], name: str) -> bytes:
    return b"".join(WRITE[kind](values[each]) for each, kind in LAYOUTS[name])


def encode(frame: Frame) -> bytes:
    """The bytes of a client's frame, header included."""
    data = payload(frame, frame.name)
    return bytes([OPCODES[frame.name]]) + WRITE["2"](len(data)) + data
