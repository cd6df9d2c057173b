#!/usr/bin/env python3
"""A bot over `iris chat --json` (docs/chat-json.md): rolls dice and names members, in groups and direct chats.

    python3 examples/bot/bot.py --iris target/release/iris -- --as dicebot --dir iris-dev

It may be killed at any moment and answers every message once all the same:

- Its read marks say what is done. A mark is written behind the answer, and `iris chat` takes lines in order, so a
  message that is marked has its answer in the outbox at least.
- The id of an answer follows from the message that it answers, and so do the dice: what is answered again after a
  crash is the same message for the server, which keeps the first.
"""

import argparse
import hashlib
import hmac
import json
import re
import secrets
import subprocess
import sys
import uuid
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Fields = dict[str, Any]

HELP = """I know:
!roll [N][dM]  N dice with M sides (1d6)
!who           who is in this group
!help          this"""
DICE_MAX, SIDES_MAX = 20, 1_000
PAGE = 500


class Bot:
    """Reads events, writes commands; `user` is known once it is connected."""

    def __init__(self, process: subprocess.Popen[str], key: bytes) -> None:
        self.process, self.key, self.user = process, key, ""
        # By conversation: what was looked at, and up to where the server knows.
        self.done: dict[str, int] = {}
        self.marked: dict[str, int] = {}
        # Live messages wait until those that came while nobody was here are answered.
        self.waiting: deque[Fields] | None = deque()
        self.missed = 0
        # Messages whose answer needs a roster, by the reference of the question.
        self.asked: dict[str, Fields] = {}

    def say(self, command: str, fields: Fields, ref: str | None = None) -> None:
        line = {command: fields} | ({"ref": ref} if ref else {})
        print(json.dumps(line), file=self.process.stdin, flush=True)

    def run(self) -> None:
        for line in self.process.stdout or ():
            for name, fields in json.loads(line).items():
                handle = getattr(self, "on_" + name, None)
                if handle:
                    handle(fields)

    def on_ready(self, fields: Fields) -> None:
        if not self.user:
            self.user = fields["user"]
            self.say("conversations", {})

    def on_conversations(self, fields: Fields) -> None:
        for item in fields["items"]:
            self.done[item["conversation"]] = item["read"]
            if item["standing"] == "invited":
                self.say("group_accept", {"group": item["group"]})
            elif item["unread"]:
                self.missed += 1
                self.ask_history(item, item["read"])
        self.answer_waiting()

    def ask_history(self, of: Fields, after: int) -> None:
        where = {key: of[key] for key in ("with", "group") if key in of}
        ref = of.get("ref") or f"history {of['conversation']}"
        self.say("history", where | {"limit": PAGE, "after": after}, ref)

    def on_history_end(self, fields: Fields) -> None:
        if fields["more"]:
            self.ask_history(fields, self.done[fields["ref"].removeprefix("history ")])
        else:
            self.caught_up()

    def caught_up(self) -> None:
        self.missed -= 1
        self.answer_waiting()

    def answer_waiting(self) -> None:
        if not self.missed and self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            for message in waiting:
                self.answer(message)

    def on_message(self, message: Fields) -> None:
        if message.get("history") or self.waiting is None:
            self.answer(message)
        else:
            self.waiting.append(message)

    def on_member(self, event: Fields) -> None:
        invited = event["change"] == "invited" and event["user"] == self.user
        # Who makes a group may invite others at once: what this user is in it is asked for.
        made = event["change"] == "created" and event["by"] != self.user
        if (invited or made) and not event.get("history"):
            self.say("group", {"group": event["group"]})
        self.on_message(event)

    def on_group(self, fields: Fields) -> None:
        if fields.get("role") == "invited":
            self.say("group_accept", {"group": fields["group"]})

    def answer(self, message: Fields) -> None:
        conversation, seq = message["conversation"], message["seq"]
        if seq <= self.done.get(conversation, 0):
            return
        self.done[conversation] = seq
        text = message.get("text", "")
        if message.get("from") == self.user or not text.startswith("!"):
            return self.mark(message)
        if text == "!who" and "group" in message:
            self.asked[f"{conversation} {seq}"] = message
            return self.say("roster", {"group": message["group"]}, ref=f"{conversation} {seq}")
        self.send(message, self.words(message, text))
        self.mark(message)

    def words(self, message: Fields, text: str) -> str:
        roll = re.fullmatch(r"!roll(?: +(\d{1,4}))?(?: *d(\d{1,4}))?", text.strip())
        if not roll:
            return HELP if text.strip() == "!help" else "I do not know that; !help says what I know."
        count, sides = int(roll[1] or 1), int(roll[2] or 6)
        if not (1 <= count <= DICE_MAX and 1 <= sides <= SIDES_MAX):
            return f"I have {DICE_MAX} dice with up to {SIDES_MAX} sides."
        dice = [1 + chance % sides for chance, _ in zip(self.chances(message), range(count))]
        total = f" = {sum(dice)}" if count > 1 else ""
        return f"🎲 {' + '.join(map(str, dice))}{total}"

    def chances(self, message: Fields) -> Iterator[int]:
        """Numbers that follow from the message and a key that nobody else has."""
        number = 0
        while True:
            text = f"{message['conversation']} {message['seq']} {number}"
            yield int.from_bytes(hmac.digest(self.key, text.encode(), "sha256"), "big")
            number += 1

    def on_roster(self, fields: Fields) -> None:
        message = self.asked.pop(fields.get("ref", ""), None)
        if message:
            members = [item for item in fields["items"] if item["role"] != "invited"]
            names = [item["user"] + (" ★" if item["role"] == "owner" else "") for item in members]
            self.send(message, f"{len(names)} members: {', '.join(names)}")
            self.mark(message)

    def on_error(self, fields: Fields) -> None:
        ref = fields.get("ref") or ""
        message = self.asked.pop(ref, None)
        if message:
            # Put out of the group meanwhile: nothing to answer any more.
            self.mark(message)
        elif ref.startswith("history "):
            self.caught_up()
        else:
            print(f"bot: {fields['name']} {fields.get('reason', '')}", file=sys.stderr)

    def send(self, message: Fields, text: str) -> None:
        to = {"group": message["group"]} if "group" in message else {"to": message["from"]}
        self.say("send", to | {"text": text, "id": answer_id(message)})

    def mark(self, message: Fields) -> None:
        """Everything looked at is done, but for what still waits for a roster."""
        conversation = message["conversation"]
        waits = [asked["seq"] for asked in self.asked.values() if asked["conversation"] == conversation]
        seq = min([self.done[conversation], *(wait - 1 for wait in waits)])
        if seq > self.marked.get(conversation, 0):
            self.marked[conversation] = seq
            self.say("read", {"conversation": conversation, "seq": seq})


def answer_id(message: Fields) -> str:
    """A UUID version 7 dated as the message is, the same whenever that message is answered."""
    name = f"answer to {message['conversation']} {message['seq']}".encode()
    bits = int.from_bytes(hashlib.sha256(name).digest()[:10], "big")
    random_a, random_b = bits >> 62 & 0xFFF, bits & (1 << 62) - 1
    number = message["sent_at"] << 80 | 7 << 76 | random_a << 64 | 2 << 62 | random_b
    return str(uuid.UUID(int=number))


def key_of(path: Path) -> bytes:
    """Made at the first start; the dice follow from it."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iris", default="iris", help="the binary")
    parser.add_argument("--key", type=Path, default=Path("dice.key"), help="a file of the bot's own")
    parser.add_argument("chat", nargs="+", help="after --: what `iris chat --json` is given")
    arguments = parser.parse_args()
    command = [arguments.iris, "chat", "--json", *arguments.chat]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8") as process:
        Bot(process, key_of(arguments.key)).run()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
