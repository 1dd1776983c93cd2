"""Sends accounting commands over HTTP until its input ends: each again, at the next gateway, until one has an answer.

Several tellers at work at once, each with accounts of its own and one command at a time. No answer at all, 202 and 503 mean that
nobody knows: the same is asked again under the same key elsewhere. Now and then an answered command is asked again, which must
give the same answer, or its key is used for another, which must be refused; and now and then a teller reads at another gateway
what it has just written, which must be there. A line of JSON a second says how many commands are sent and answered.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

Json = dict[str, Any]
# Longer than the gateway is asked to wait; one that is frozen never answers.
ANSWER = 12.0
WAIT = {"Prefer": "wait=5"}
# A gateway that answered nothing is not asked again at once.
PAUSE = 0.1
# Longer than all servers and sessions need to come back.
SILENCE = 200.0
KEY_REUSED = "urn:millrace:problem:key-reused"
# What every repeat must say as the first answer did.
SAME = ("command_id", "status", "violations", "versions", "positions")


@dataclass
class Answer:
    """What a gateway said."""

    status: int
    position: str
    body: Json


class Gateways:
    """All gateways, for one teller, who keeps a connection to each."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.connections: dict[str, HTTPConnection] = {}

    def ask(self, turn: int, method: str, path: str, headers: dict[str, str], body: Json | None) -> Answer | None:
        """Asks the gateway whose turn it is; nothing when it gives no whole answer."""
        address = self.addresses[turn % len(self.addresses)]
        connection = self.connections.setdefault(address, HTTPConnection(address, timeout=ANSWER))
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json", **WAIT, **headers})
            answer = connection.getresponse()
            said = json.loads(answer.read())
            return Answer(answer.status, answer.headers.get("Millrace-Position", ""), said)
        except (OSError, HTTPException, ValueError):
            connection.close()
            return None


@dataclass
class Entry:
    """A command of the ledger: how often it was handed to a gateway, and what the answer was."""

    id: str
    attempts: int = 0
    answer: Json = field(default_factory=dict)

    def plain(self) -> Json:
        """As it is written down."""
        return {"id": self.id, "attempts": self.attempts, "answer": self.answer}


class Teller(threading.Thread):
    """Somebody who sends one command after the other."""

    def __init__(self, name: str, addresses: list[str], seed: int, rate: float, end: threading.Event) -> None:
        super().__init__(daemon=True)
        self.own = name
        self.gateways = Gateways(addresses)
        self.random = random.Random(f"{seed}-{name}")
        self.rate = rate
        self.end = end
        self.turn = 0
        self.count = 0
        self.accounts: list[str] = []
        self.entries: list[Entry] = []
        self.answered = 0
        self.of: Counter[str] = Counter()
        self.wrong = ""

    def run(self) -> None:
        """Sends until the end, at the rate."""
        start = time.monotonic()
        try:
            while not self.end.is_set():
                self._command()
                self.end.wait(max(0.0, start + self.count / self.rate - time.monotonic()))
        except Exception as wrong:  # whatever it is, it is told and ends the load
            self.wrong = f"teller {self.own}: {wrong!r}"

    def _command(self) -> None:
        self.count += 1
        kind, data = self._next()
        entry = Entry(f"w-{self.own}-{self.count}")
        self.entries.append(entry)
        body = {"data": data, "metadata": {"issued_at": time.time_ns() // 1000}}
        answer = self._until_answered(entry, kind, body)
        entry.answer = answer.body
        self.answered += 1
        roll = self.random.random()
        if roll < 0.1:
            self._again(entry, kind, body)
        elif roll < 0.13 and "amount" in data:
            self._reused(entry, kind, {**body, "data": {**data, "amount": data["amount"] + 1}})
        elif roll < 0.4 and answer.status == 200 and kind in ("Deposit", "Withdraw"):
            self._read(str(data["account_id"]), answer)

    def _next(self) -> tuple[str, Json]:
        """What is done next; some of it must be refused."""
        roll = self.random.random()
        if len(self.accounts) < 2 or roll < 0.02:
            self.accounts.append(f"web-{self.own}-{len(self.accounts)}")
            return "OpenAccount", {"account_id": self.accounts[-1], "owner_id": self.own, "currency": "EUR"}
        account, amount = self.random.choice(self.accounts), self.random.randint(1, 1000)
        move = {"account_id": account, "amount": amount, "currency": "EUR", "reference": ""}
        if roll < 0.05:
            return "Deposit", {**move, "account_id": f"nobody-{self.own}"}
        if roll < 0.5:
            return "Deposit", move
        if roll < 0.7:
            return "Withdraw", move
        source, target = self.random.sample(self.accounts, 2)
        transfer = f"wt-{self.own}-{self.count}"
        return "Transfer", {"transfer_id": transfer, "from": source, "to": target, "amount": amount, "currency": "EUR"}

    def _until_answered(self, entry: Entry, kind: str, body: Json) -> Answer:
        """Asks one gateway after the other.

        Raises:
            AssertionError: an answer that is none of those it may be.
            TimeoutError: there is no answer.
        """
        deadline = time.monotonic() + SILENCE
        while time.monotonic() < deadline:
            self.turn += 1
            entry.attempts += 1
            path = f"/v1/commands/accounting/{kind}"
            answer = self.gateways.ask(self.turn, "POST", path, {"Idempotency-Key": entry.id}, body)
            self.of["none" if answer is None else str(answer.status)] += 1
            if answer is not None and answer.status not in (202, 503):
                assert answer.status in (200, 422), f"{entry.id}: {answer}"
                return answer
            time.sleep(PAUSE)
        raise TimeoutError(f"{entry.id} is not answered after {SILENCE} s and {entry.attempts} attempts")

    def _again(self, entry: Entry, kind: str, body: Json) -> None:
        """The same at another gateway gets the same answer."""
        again = self._until_answered(entry, kind, body)
        self.of["repeated"] += 1
        for member in SAME:
            # not `duplicate`: a gateway whose reader is a moment behind tells the very answer that another one has told
            assert again.body.get(member) == entry.answer.get(member), f"{entry.id}: {member}: {again}, not {entry.answer}"

    def _reused(self, entry: Entry, kind: str, other: Json) -> None:
        """Another command under the same key is refused."""
        refused = self._until_answered(entry, kind, other)
        self.of["reused"] += 1
        assert (refused.status, refused.body["type"]) == (422, KEY_REUSED), f"{entry.id}, reused: {refused}"

    def _read(self, account: str, answer: Answer) -> None:
        """What was written is there at the next gateway, if that can tell."""
        self.turn += 1
        path = f"/v1/views/accounting/account_balances?account_id={account}"
        read = self.gateways.ask(self.turn, "GET", path, {"Millrace-After": answer.position}, None)
        if read is None or read.status == 503:
            self.of["not read"] += 1
            return
        self.of["read"] += 1
        version = answer.body["versions"][0]["version"]
        rows = read.body.get("rows", [])
        assert read.status == 200 and rows, f"{account}: {read}"
        assert rows[0]["version"] >= version, f"stale: {rows[0]}, which was {version} by {answer}"


def is_told_to_end() -> bool:
    """Whether the input has ended."""
    return bool(select.select([sys.stdin], [], [], 0.5)[0])


def say(tellers: list[Teller]) -> None:
    """How far it has come."""
    sent, answered = sum(len(one.entries) for one in tellers), sum(one.answered for one in tellers)
    print(json.dumps({"sent": sent, "answered": answered}), flush=True)


def main() -> int:
    """Sends, waits, and writes down what was answered."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--gateways", required=True, help="HOST:PORT of each, separated by commas")
    parser.add_argument("--rate", type=float, default=20.0, help="commands a second")
    parser.add_argument("--tellers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--answered", type=Path, required=True, help="where to write what was answered")
    options = parser.parse_args()
    end = threading.Event()
    addresses, each = options.gateways.split(","), options.rate / options.tellers
    tellers = [Teller(str(n), addresses, options.seed, each, end) for n in range(options.tellers)]
    for teller in tellers:
        teller.start()
    try:
        while not is_told_to_end() and not any(teller.wrong for teller in tellers):
            say(tellers)
        end.set()
        for teller in tellers:
            while teller.is_alive() and not any(one.wrong for one in tellers):
                teller.join(0.5)
                say(tellers)
    finally:
        entries = [entry.plain() for teller in tellers for entry in teller.entries]
        options.answered.write_text(json.dumps(entries))
    say(tellers)
    of: Counter[str] = sum((teller.of for teller in tellers), Counter())
    print(json.dumps({"said": f"over HTTP: {', '.join(f'{count} × {what}' for what, count in sorted(of.items()))}"}), flush=True)
    wrong = [teller.wrong for teller in tellers if teller.wrong]
    print("\n".join(wrong), file=sys.stderr, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
