"""A system of accounting in a few lines, in memory: what it leaves behind must find no difference, and less or more than that must.

It uses the model's own decisions, so it shows that the checks see what is written, not that the model is right.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from itertools import count, islice

from accounting_log import OF_COMMANDS, Log, Message
from accounting_model import NEXT_STEP, TRANSFER, Happened, Ledger
from accounting_workload import Customers, Order
from client import Record
from message import Fields
from murmur2 import partition_of


@dataclass
class Fake:
    """Partitions that decide one message at a time, in any interleaving."""

    log: Log
    luck: random.Random

    def __init__(self, partitions: int, seed: int) -> None:
        self.log = Log(partitions)
        self.luck = random.Random(seed)
        self.ledger = Ledger()
        self.commands: dict[int, deque[Message]] = {n: deque() for n in range(partitions)}
        self.steps: dict[int, deque[Message]] = {n: deque() for n in range(partitions)}
        self.clock = count(1_000_000)
        self.answers: dict[tuple[int, str], Record | None] = {}
        self.due: dict[tuple[int, str], int] = {}
        self.offsets: Counter[tuple[str, int]] = Counter()
        self.events_of: defaultdict[str, list[Message]] = defaultdict(list)

    def run(self, orders: int) -> Log:
        """So many commands, and all that follows from them."""
        for order in islice(Customers(self.luck.randrange(1000), accounts=20).orders(), orders):
            self._send(order)
            if self.luck.random() < 0.5:
                self._decide_one()
        while any(self.commands.values()) or any(self.steps.values()):
            self._decide_one()
        return self.log

    def _next(self, topic: str, partition: int) -> int:
        self.offsets[topic, partition] += 1
        return self.offsets[topic, partition] - 1

    def _send(self, order: Order) -> None:
        key: str | None = order.routing_key
        partition = partition_of(order.routing_key, self.log.partitions)
        if order.astray == "no key":
            key = None
        elif order.astray == "key":
            key = "another"
        elif order.astray == "partition":
            partition = (partition + 1) % self.log.partitions
        metadata = {"user_id": order.user_id, "expected_version": order.expected_version}
        value = {"id": order.id, "metadata": metadata, "data": (order.type, order.data)}
        offset = self._next("commands", partition)
        self.commands[partition].append(Message(partition, offset, key, value))
        self.log.commands.append(self.commands[partition][-1])

    def _decide_one(self) -> None:
        waiting = [queue for queues in (self.commands, self.steps) for queue in queues.values() if queue]
        if not waiting:
            return
        queue = self.luck.choice(waiting)
        message = queue.popleft()
        if "process" in message.value:
            happened = self.ledger.step(message.kind, message.data)
            assert happened is not None
            self._happens(happened, message, message.value["process"])
        else:
            self._command(message)

    def _command(self, command: Message) -> None:
        place = (command.partition, command.value["id"])
        key = command.data.get("transfer_id", command.data.get("account_id"))
        if command.key != key or partition_of(str(key), self.log.partitions) != command.partition:
            self._answer(command, rejected([("Misrouted", None)]))
        elif place in self.answers:
            first = self.answers[place]
            if first is None:
                self.due[place] = self.due.get(place, 0) + 1
            else:
                self._answer(command, {**first, "duplicate": True})
        else:
            decided = self.ledger.decide(command.kind, command.data, command.value["metadata"])
            if isinstance(decided, list):
                self.answers[place] = rejected(decided)
                self._answer(command, rejected(decided))
            else:
                self.answers[place] = None
                self._happens(decided, command, command)

    def _happens(self, happened: Happened, cause: Message, process: Message) -> None:
        data = dict(happened.data)
        if happened.violations:
            data["violations"] = [{"code": c, "message": "why", "field": f} for c, f in happened.violations]
        self.ledger.apply(happened.kind, happened.aggregate, data)
        value = {
            "id": f"e{len(self.log.events)}",
            "aggregate_id": happened.aggregate,
            "version": self.ledger.versions[happened.aggregate],
            "command_id": process.value["id"],
            "command_offset": cause.offset,
            "recorded_at": next(self.clock),
            "data": (happened.kind, data),
        }
        offset = self._next("events", cause.partition)
        self.log.events.append(Message(cause.partition, offset, None, value))
        self.events_of[process.value["id"]].append(self.log.events[-1])
        if happened.kind in NEXT_STEP:
            self._ask(*NEXT_STEP[happened.kind], data, process)
        else:
            self._end(process, data.get("violations", []))

    def _ask(self, kind: str, key: str, data: Fields, process: Message) -> None:
        more = {name: data[name] for name in ("violations", "requested_by") if name in data}
        if kind in ("ReleaseReservation", "FailTransfer"):
            more.setdefault("violations", [])
        plain = {name: data[name] for name in TRANSFER}
        partition = partition_of(str(data[key]), self.log.partitions)
        offset = self._next("steps", partition)
        value = {"data": (kind, {**plain, **more}), "process": process}
        step = Message(partition, offset, str(data[key]), value)
        self.log.steps.append(step)
        self.steps[partition].append(step)

    def _end(self, command: Message, violations: list[Record]) -> None:
        place = (command.partition, command.value["id"])
        mine = self.events_of[command.value["id"]]
        positions, versions = {}, {}
        for event in mine:
            topic = "commands" if event.kind in OF_COMMANDS else "steps"
            positions[event.partition] = (self.log.topic(topic), event.partition, event.value["command_offset"])
            versions[event.value["aggregate_id"]] = event.value["version"]
        answer: Record = {
            "status": "rejected" if violations else "accepted",
            "duplicate": False,
            "violations": violations,
            "versions": [{"aggregate_id": a, "version": v} for a, v in versions.items()],
            "positions": [{"topic": t, "partition": p, "offset": o} for t, p, o in positions.values()],
        }
        self.answers[place] = answer
        self._answer(command, answer)
        for _ in range(self.due.pop(place, 0)):
            self._answer(command, {**answer, "duplicate": True})

    def _answer(self, command: Message, answer: Record) -> None:
        value = {"command_id": command.value["id"], "recorded_at": next(self.clock), **answer}
        self.log.outcomes.append(Message(command.partition, len(self.log.outcomes), None, value))


def rejected(violations: list[tuple[str, str | None]]) -> Record:
    """The outcome of a command that was refused at once."""
    told = [{"code": code, "message": "why", "field": name} for code, name in violations]
    return {"status": "rejected", "duplicate": False, "violations": told, "versions": [], "positions": []}
