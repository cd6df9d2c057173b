"""The frames of the Iris client protocol as fields and as bytes (docs/protocol.md, section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

NAME: Final = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
DIRECTIONS: Final = ("latest", "before", "after")
KINDS: Final = ("Delivery", "OwnSent", "Sent")
TEXT: Final = 1
PAYLOAD_BYTES_MAX: Final = 65_535

# Every frame: opcode and fields, as section 4 of the document lists them.
FRAMES: Final = {
    "Hello": (0x01, "versions:4 capabilities:4"),
    "Authenticate": (0x02, "token:token device:name nonce:id at:8"),
    "Sync": (0x03, "request:request after:8"),
    "Acknowledge": (0x04, "up_to:8"),
    "SendMessage": (0x05, "request:request id:id previous:id? to:name body:body"),
    "ReadHistory": (0x06, "request:request with:name from:direction seq:8 limit:2"),
    "ListConversations": (0x07, "request:request after:id? limit:2"),
    "Ping": (0x08, "token:8"),
    "SendBatch": (0x20, "items:SendMessage+"),
    "ServerHello": (0x81, "version:1 capabilities:4"),
    "Ready": (0x82, "cursor:8 last:8 server_time:8 body_bytes_max:4 batch_items_max:2 "
              "requests_in_flight_max:2 window_entries_max:4 window_bytes_max:4 idle_ms_max:4"),
    "Refused": (0x83, "request:4 code:2 retryable:flag retry_after_ms:4 server_time:8"),
    "Sent": (0x84, "request:4 id:id conversation:id seq:8 sent_at:8 offset:8"),
    "Delivery": (0x85, "offset:8 conversation:id seq:8 id:id from:name with:peer sent_at:8 "
                 "body:body"),
    "OwnSent": (0x86, "offset:8 conversation:id seq:8 id:id sent_at:8"),
    "Gap": (0x87, "first:8 last:8"),
    "PageEnd": (0x88, "request:4 last:8 log_end:8 live:flag"),
    "SyncNeeded": (0x89, "last:8"),
    "HistoryEntry": (0x8A, "request:4 entry:Entry"),
    "HistoryEnd": (0x8B, "request:4 conversation:id more:flag"),
    "Conversations": (0x8C, "request:4 more:flag items:Conversation*"),
    "Pong": (0x8D, "token:8"),
    "Drain": (0x8E, "reconnect_after_ms:4 jitter_ms:4"),
    "Closed": (0x8F, "code:2 retryable:flag retry_after_ms:4"),
    "Batch": (0xA0, "items:Kind+"),
    "HistoryBatch": (0xA1, "request:4 entries:Entry+"),
}  # fmt: skip
NAMES: Final = {opcode: name for name, (opcode, _) in FRAMES.items()}
LAYOUTS: Final = {name: layout for name, (_, layout) in FRAMES.items()} | {
    "Entry": "seq:8 id:id from:name sent_at:8 body:body",
    "Conversation": "conversation:id with:name last_seq:8",
}
ERRORS: Final = {
    0: "disconnected", 100: "bad_frame", 101: "unknown_opcode", 102: "unsupported_version",
    103: "wrong_state", 104: "timed_out", 200: "bad_token", 201: "token_expired",
    202: "token_revoked", 203: "stale_timestamp", 204: "nonce_replayed", 205: "replaced",
    206: "invalid_name", 207: "too_many_devices", 300: "invalid_body", 301: "id_conflict",
    302: "id_too_old", 303: "id_in_future", 304: "out_of_order", 305: "invalid_id",
    400: "cursor_ahead", 401: "not_member", 500: "busy", 501: "storage_full",
    502: "data_corrupt", 503: "draining", 504: "unavailable",
}  # fmt: skip


class ProtocolError(Exception):
    """The server's bytes, or the order of its frames, break the protocol."""


class IrisError(Exception):
    """A Refused or a Closed."""

    def __init__(self, code: int, retryable: bool, after_ms: int = 0, server_time: int = 0) -> None:
        self.code, self.retryable = code, retryable
        self.after_ms, self.server_time = after_ms, server_time
        self.name = ERRORS.get(code, f"error {code}")
        super().__init__(self.name)

    @classmethod
    def of(cls, frame: Frame) -> IrisError:
        times = frame["retry_after_ms"], frame.get("server_time", 0)
        return cls(frame["code"], frame["retryable"], *times)


# ---- frames and bytes -------------------------------------------------------------------------


class Frame(dict[str, Any]):
    """The fields of a frame by their names in the document; ids are in hex."""

    def __init__(self, name: str, /, **values: Any) -> None:
        super().__init__(values)
        self.name = name

    def but(self, **values: Any) -> Frame:
        return Frame(self.name, **(self | values))


@dataclass(frozen=True)
class Body:
    kind: int
    data: bytes

    def __str__(self) -> str:
        return self.data.decode() if self.kind == TEXT else self.data.hex()


class Source:
    """A payload that is read from its front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def rest(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.rest():
            raise ProtocolError("the payload ends inside a field")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int, low: int = 0, high: int = 2**64) -> int:
        value = int.from_bytes(self.take(size), "big")
        if not low <= value <= high:
            raise ProtocolError(f"a field may not be {value}")
        return value

    def field(self, kind: str) -> Any:
        """One field of the kind that the layout names."""
        match kind:
            case "1" | "2" | "4" | "8":
                return self.number(int(kind))
            case "request":
                return self.number(4, 1, 0xFFFFFFFE)
            case "flag":
                return bool(self.number(1, 0, 1))
            case "direction":
                return DIRECTIONS[self.number(1, 0, 2)]
            case "id":
                return self.take(16).hex()
            case "id?":
                return self.field("id") if self.field("flag") else None
            case "token":
                return self.take(self.number(2)).decode("latin-1")
            case "body":
                return Body(self.number(1), self.take(self.number(2)))
            case "name" | "peer":
                name = self.take(self.number(1)).decode("latin-1")
                if not NAME.fullmatch(name) and (name or kind == "name"):
                    raise ProtocolError(f"{name!r} is not a name")
                return name
            case "Kind":
                return self.fields(KINDS[self.number(1, 1, len(KINDS)) - 1])
            case _ if kind[-1] in "+*":
                return [self.field(kind[:-1]) for _ in range(self.number(2, int(kind[-1] == "+")))]
            case _:
                return self.fields(kind)

    def fields(self, name: str) -> Frame:
        """All the fields of a frame or of an item."""
        frame = Frame(name)
        for each, kind in (pair.split(":") for pair in LAYOUTS[name].split()):
            value = self.field(kind)
            frame[each] = value or frame["from"] if kind == "peer" else value
        return frame


def decode(data: bytes) -> Frame | None:
    """The frame in these bytes, header included; None if its opcode is not known."""
    if data[0] not in NAMES:
        return None
    source = Source(data[3:])
    frame = source.fields(NAMES[data[0]])
    tags = {}
    while source.rest():
        tag = source.number(1)
        tags[tag] = source.take(source.number(2))
    if frame.name == "Refused":
        frame["opcode"] = tags[1][0] if tags.get(1) else None
    if frame.name == "Gap" and frame["first"] > frame["last"]:
        raise ProtocolError("a gap ends before it begins")
    return frame


def write_field(kind: str, value: Any, frame: Frame) -> bytes:
    """One field; `frame` is the one that it is in."""
    match kind:
        case "1" | "2" | "4" | "8":
            return int(value).to_bytes(int(kind), "big")
        case "request":
            return write_field("4", value, frame)
        case "flag":
            return bytes([value])
        case "direction":
            return bytes([DIRECTIONS.index(value)])
        case "id":
            return bytes.fromhex(value)
        case "id?":
            return b"\0" if value is None else b"\1" + bytes.fromhex(value)
        case "token":
            return len(value).to_bytes(2, "big") + bytes(value, "latin-1")
        case "body":
            return bytes([value.kind]) + len(value.data).to_bytes(2, "big") + bytes(value.data)
        case "name":
            return bytes([len(value)]) + bytes(value, "latin-1")
        case "peer":
            return b"\0" if value == frame["from"] else write_field("name", value, frame)
        case "Kind":
            return bytes([KINDS.index(value.name) + 1]) + write_fields(value.name, value)
        case _ if kind[-1] in "+*":
            items = b"".join(write_field(kind[:-1], item, frame) for item in value)
            return len(value).to_bytes(2, "big") + items
        case _:
            return write_fields(kind, value)


def write_fields(name: str, frame: Frame) -> bytes:
    """All the fields of a frame or of an item."""
    pairs = (pair.split(":") for pair in LAYOUTS[name].split())
    return b"".join(write_field(kind, frame[each], frame) for each, kind in pairs)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame, header included."""
    payload = write_fields(frame.name, frame)
    if frame.name == "Refused" and frame["opcode"] is not None:
        payload += bytes([1, 0, 1, frame["opcode"]])
    return bytes([FRAMES[frame.name][0]]) + len(payload).to_bytes(2, "big") + payload
