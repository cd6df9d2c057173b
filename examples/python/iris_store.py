"""What a device keeps: its inbox, its cursor, and the messages that have no receipt yet."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from iris_wire import Body


@dataclass(frozen=True)
class Message:
    """A message of the inbox (with offset and peer) or of the history."""

    seq: int
    id: str
    sender: str
    sent_at: int
    body: Body | None  # None: sent by this device, which has lost it
    conversation: str = ""
    offset: int = 0
    peer: str = ""


@dataclass(frozen=True)
class Receipt:
    """A message is durable."""

    id: str
    conversation: str
    seq: int
    sent_at: int


@dataclass(eq=False)
class Outgoing:
    """A message that waits for its receipt."""

    id: str
    to: str
    body: Body
    future: asyncio.Future[Receipt] = field(default_factory=asyncio.Future)
    in_flight: bool = False


class Store:
    """Inbox, cursor and unanswered messages in a SQLite file, or in memory."""

    def __init__(self, path: str = ":memory:") -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("""
            CREATE TABLE IF NOT EXISTS cursor (up_to INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS outbox (position INTEGER PRIMARY KEY, id TEXT UNIQUE,
                recipient TEXT, kind INTEGER, body BLOB, sent INTEGER DEFAULT 0,
                entered INTEGER DEFAULT 0);
            CREATE TABLE IF NOT EXISTS inbox (offset INTEGER PRIMARY KEY, conversation TEXT,
                seq INTEGER, id TEXT, sender TEXT, peer TEXT, sent_at INTEGER, kind INTEGER,
                body BLOB);
        """)

    @property
    def cursor(self) -> int | None:
        row = self._db.execute("SELECT up_to FROM cursor").fetchone()
        return int(row[0]) if row else None

    def keep(self, cursor: int, message: Message | None = None) -> None:
        """Stores an entry and the cursor together."""
        with self._transaction():
            self._db.execute("DELETE FROM cursor")
            self._db.execute("INSERT INTO cursor VALUES (?)", (cursor,))
            if message:
                body = (message.body.kind, message.body.data) if message.body else (None, None)
                row = (message.offset, message.conversation, message.seq, message.id,
                       message.sender, message.peer, message.sent_at, *body)  # fmt: skip
                self._db.execute("INSERT INTO inbox VALUES (?,?,?,?,?,?,?,?,?)", row)
                self._mark(message.id, "entered")

    def queue(self, item: Outgoing) -> None:
        row = item.id, item.to, item.body.kind, item.body.data
        sql = "INSERT INTO outbox (id, recipient, kind, body) VALUES (?,?,?,?)"
        self._db.execute(sql, row)

    def rename(self, old: str, new: str) -> None:
        self._db.execute("UPDATE outbox SET id = ? WHERE id = ?", (new, old))

    def sent(self, id: str) -> None:
        with self._transaction():
            self._mark(id, "sent")

    def drop(self, id: str) -> None:
        self._db.execute("DELETE FROM outbox WHERE id = ?", (id,))

    def unsent(self) -> Iterator[Outgoing]:
        sql = "SELECT id, recipient, kind, body FROM outbox WHERE NOT sent ORDER BY position"
        for id, to, kind, body in self._db.execute(sql).fetchall():
            yield Outgoing(id, to, Body(kind, body))

    def find(self, id: str) -> tuple[str, Body] | None:
        """Recipient and body of an own message whose entry has not come yet."""
        sql = "SELECT recipient, kind, body FROM outbox WHERE id = ?"
        row = self._db.execute(sql, (id,)).fetchone()
        return row and (row[0], Body(row[1], row[2]))

    def _mark(self, id: str, column: str) -> None:
        self._db.execute(f"UPDATE outbox SET {column} = 1 WHERE id = ?", (id,))
        self._db.execute("DELETE FROM outbox WHERE id = ? AND sent AND entered", (id,))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
