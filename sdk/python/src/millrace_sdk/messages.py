"""Commands, events and outcomes as a whole, as Avro and as JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from .avro import Input, Output
from .bad import BadMessage
from .domains.envelope import Metadata, Outcome
from .ids import new_id
from .json_ import JsonSource, record_to_json
from .kinds import CommandData, CommandTopic, EventData, EventTopic, MessageData

D = TypeVar("D", bound=MessageData)
C = TypeVar("C", bound=CommandData)
E = TypeVar("E", bound=EventData)


def _now() -> Metadata:
    return Metadata(issued_at=time.time_ns() // 1000)


@dataclass(frozen=True, kw_only=True)
class Command(Generic[C]):
    """A command: what somebody wants to happen, with a new id and the time unless they are given.

    Whoever sends it again, as no outcome came, sends this very one again: then it is decided once.
    """

    data: C
    id: str = field(default_factory=new_id)
    metadata: Metadata = field(default_factory=_now)

    @classmethod
    def of(cls, data: C, **metadata: Any) -> Command[C]:
        """A command that is issued now, with these fields of its metadata."""
        return cls(data=data, metadata=replace(_now(), **metadata))

    @property
    def type(self) -> str:
        """The name of its type."""
        return self.data.TYPE

    @property
    def domain(self) -> str:
        """The domain that decides it."""
        return self.data.DOMAIN


@dataclass(frozen=True, kw_only=True)
class Event(Generic[E]):
    """An event: what has happened."""

    id: str
    metadata: Metadata
    aggregate_id: str
    version: int
    """1, 2, 3 … of the aggregate, without gaps."""
    command_id: str
    command_offset: int
    """The offset of the command or step that caused it."""
    recorded_at: int
    """Microseconds since the epoch."""
    data: E

    @property
    def type(self) -> str:
        """The name of its type."""
        return self.data.TYPE

    @property
    def domain(self) -> str:
        """Where it has happened."""
        return self.data.DOMAIN


@dataclass(frozen=True, kw_only=True)
class UnknownMessage:
    """A message of a type that this version of the package does not have: of a newer deployment."""

    domain: str
    type: str
    id: str
    metadata: Metadata
    aggregate_id: str | None = None
    version: int | None = None
    command_id: str | None = None
    command_offset: int | None = None
    recorded_at: int | None = None


def encode_command(topic: CommandTopic, command: Command[Any]) -> bytes:
    """A command as Avro, without the frame."""
    out = Output()
    out.text("id", command.id)
    out.record("metadata", command.metadata)
    _write_data(out, topic.kinds, command.data)
    return out.getvalue()


def encode_event(topic: EventTopic, event: Event[Any]) -> bytes:
    """An event as Avro, without the frame: for tests, as none but processors write events."""
    out = Output()
    out.text("id", event.id)
    out.record("metadata", event.metadata)
    out.text("aggregate_id", event.aggregate_id)
    out.long("version", event.version)
    out.text("command_id", event.command_id)
    out.long("command_offset", event.command_offset)
    out.long("recorded_at", event.recorded_at)
    _write_data(out, topic.kinds, event.data)
    return out.getvalue()


def _write_data(out: Output, kinds: tuple[type[MessageData], ...], data: MessageData) -> None:
    try:
        branch = kinds.index(type(data))
    except ValueError:
        raise BadMessage("data", f"{type(data).__name__} is none of the topic's messages") from None
    out.count(branch)
    out.record("data", data)


def decode_command(topic: CommandTopic, body: bytes) -> Command[Any]:
    """The command that Avro without a frame holds. Raises `BadMessage`."""
    source = Input(body)
    command_id, metadata = source.text("id"), source.record("metadata", Metadata)
    return Command(id=command_id, metadata=metadata, data=_read_data(source, topic.kinds))


def event_envelope(source: Input) -> dict[str, Any]:
    """What an event holds beside its data."""
    return {
        "id": source.text("id"),
        "metadata": source.record("metadata", Metadata),
        "aggregate_id": source.text("aggregate_id"),
        "version": source.long("version"),
        "command_id": source.text("command_id"),
        "command_offset": source.long("command_offset"),
        "recorded_at": source.long("recorded_at"),
    }


def decode_event(topic: EventTopic, body: bytes) -> Event[Any]:
    """The event that Avro without a frame holds. Raises `BadMessage`."""
    source = Input(body)
    envelope = event_envelope(source)
    return Event(**envelope, data=_read_data(source, topic.kinds))


def _read_data(source: Input, kinds: tuple[type[D], ...]) -> D:
    data = source.record("data", kinds[source.index("data", len(kinds))])
    source.end()
    return data


def encode_outcome(outcome: Outcome) -> bytes:
    """An outcome as Avro, without the frame: for tests, as none but processors write outcomes."""
    out = Output()
    outcome.write(out)
    return out.getvalue()


def decode_outcome(body: bytes) -> Outcome:
    """The outcome that Avro without a frame holds. Raises `BadMessage`."""
    source = Input(body)
    outcome = Outcome.read(source)
    source.end()
    return outcome


def command_to_json(command: Command[Any]) -> dict[str, Any]:
    """The body of a request to the gateway: `{"data": …, "metadata": …}`, without what is null."""
    metadata = {name: value for name, value in record_to_json(command.metadata).items() if value is not None}
    return {"data": record_to_json(command.data), "metadata": metadata}


def outcome_from_json(value: Any) -> Outcome:
    """An outcome out of the gateway's JSON. Raises `BadMessage`."""
    return Outcome.read(JsonSource(value))
