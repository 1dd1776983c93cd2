"""What stands in a domain's topics, as plain values: read from Kafka, or made up by a test."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import client
from accounting_workload import ROUTING_FIELD
from client import Codec, Record, Servers
from message import Fields

# Events of commands; all others are of steps.
OF_COMMANDS = {"AccountOpened", "MoneyDeposited", "MoneyWithdrawn", "AccountClosed", "TransferRequested"}


@dataclass(frozen=True)
class Message:
    """A record and what is in it."""

    partition: int
    offset: int
    key: str | None
    value: Record

    @property
    def kind(self) -> str:
        """The name of its data."""
        return str(self.value["data"][0]).rsplit(".", 1)[-1]

    @property
    def data(self) -> Fields:
        """The fields of its data."""
        fields: Fields = self.value["data"][1]
        return fields


@dataclass
class Log:
    """All topics; records of one partition in their order."""

    partitions: int
    commands: list[Message] = field(default_factory=list)
    steps: list[Message] = field(default_factory=list)
    events: list[Message] = field(default_factory=list)
    outcomes: list[Message] = field(default_factory=list)
    # The newest state of every aggregate.
    states: dict[str, Record | None] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    # What the producer knows to have arrived: id, partition, offset.
    sent: list[tuple[str, int, int]] | None = None
    prefix: str = ""
    domain: str = "accounting"

    def topic(self, suffix: str) -> str:
        """The full name of a topic."""
        return f"{self.prefix}{self.domain}.{suffix}"


def by_partition(messages: list[Message]) -> defaultdict[int, list[Message]]:
    """Each partition's records."""
    found: defaultdict[int, list[Message]] = defaultdict(list)
    for message in messages:
        found[message.partition].append(message)
    return found


def routing_key(command: Message) -> str:
    """Where a command belongs."""
    return str(command.data[ROUTING_FIELD[command.kind]])


def event_key(event: Message) -> str:
    """Where an event belongs."""
    return str(event.value["aggregate_id"]).split("/", 1)[1]


def read(servers: Servers) -> Log:
    """Everything that is committed now."""
    codec = Codec(servers.registry)
    log = Log(client.partition_count(servers, servers.topic("commands")), prefix=servers.prefix, domain=servers.domain)
    for suffix in ("commands", "steps", "events", "outcomes"):
        messages: list[Message] = getattr(log, suffix)
        for got in client.read_all(servers, servers.topic(suffix), timeout=300):
            key = None if got.key is None else got.key.decode()
            messages.append(Message(got.partition, got.offset, key, codec.decode(got.value)))
    for got in client.read_all(servers, servers.topic("state"), timeout=300):
        log.states[got.text] = None if got.value is None else codec.decode(got.value)
    for got in client.read_all(servers, servers.topic("commands.dead")):
        log.dead.append(f"{got.key!r} {got.headers}")
    return log
