"""What messages and topics are, and where their fields go and come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R", bound="Record")
S = TypeVar("S", bound=Enum)


class Sink(Protocol):
    """Where values go, field by field in the order of the schema: Avro, or JSON as the gateway has it."""

    def text(self, name: str, value: str) -> None: ...
    def long(self, name: str, value: int) -> None: ...
    def int(self, name: str, value: int) -> None: ...
    def double(self, name: str, value: float) -> None: ...
    def boolean(self, name: str, value: bool) -> None: ...
    def sealed(self, name: str, value: bytes) -> None: ...
    def digest(self, name: str, value: bytes) -> None: ...
    def none(self, name: str) -> None: ...
    def some(self, name: str) -> None: ...
    def items(self, name: str, items: Sequence[T], write: Callable[[T], None]) -> None: ...
    def record(self, name: str, value: Record) -> None: ...
    def symbol(self, name: str, value: Enum) -> None: ...


class Source(Protocol):
    """Where values come from, field by field in the order of the schema. What is no such value raises `BadMessage`."""

    def text(self, name: str) -> str: ...
    def long(self, name: str) -> int: ...
    def int(self, name: str) -> int: ...
    def double(self, name: str) -> float: ...
    def boolean(self, name: str) -> bool: ...
    def sealed(self, name: str) -> bytes: ...
    def digest(self, name: str) -> bytes: ...
    def is_some(self, name: str) -> bool: ...
    def items(self, name: str, read: Callable[[], T]) -> tuple[T, ...]: ...
    def record(self, name: str, kind: type[R]) -> R: ...
    def symbol(self, name: str, kind: type[S]) -> S: ...


class Record:
    """A record of a schema."""

    __slots__ = ()

    def write(self, out: Sink) -> None:
        """Writes the fields, in the order of the schema."""
        raise NotImplementedError

    @classmethod
    def read(cls, source: Source) -> Record:
        """Reads the fields, in the order of the schema."""
        raise NotImplementedError


class MessageData(Record):
    """What commands and events have in common: a name in a domain, and an aggregate that they belong to."""

    __slots__ = ()

    DOMAIN: ClassVar[str]
    TYPE: ClassVar[str]

    def aggregate_id(self) -> str:
        """The aggregate that it belongs to, such as `Chirp/ann/c1`."""
        raise NotImplementedError

    def routing_key(self) -> str:
        """The key of the record, by which its partition is found."""
        raise NotImplementedError

    @staticmethod
    def lower(text: str) -> str:
        """A text with `a` to `z` in the place of `A` to `Z`, and nothing else changed."""
        return text.translate(_LOWER)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class CommandData(MessageData):
    """What a command asks for."""

    __slots__ = ()


class EventData(MessageData):
    """What an event tells."""

    __slots__ = ()


class Row:
    """A row of a view."""

    __slots__ = ()

    DOMAIN: ClassVar[str]
    VIEW: ClassVar[str]
    PARTITION: ClassVar[tuple[str, ...]]
    """The columns that name which rows are meant."""
    CLUSTERING: ClassVar[tuple[str, ...]]
    """The columns behind them, in the order of the rows; a `-` in front: descending."""

    @classmethod
    def read(cls, source: Source) -> Row:
        """Reads the columns."""
        raise NotImplementedError


@dataclass(frozen=True)
class CommandTopic:
    """The topic of a domain's commands, with its schema as it is registered."""

    domain: str
    name: str
    schema: str
    kinds: tuple[type[CommandData], ...]


@dataclass(frozen=True)
class EventTopic:
    """The topic of a domain's events, with its schema as it is registered."""

    domain: str
    name: str
    schema: str
    kinds: tuple[type[EventData], ...]


@dataclass(frozen=True)
class OutcomeTopic:
    """The topic of what became of a domain's commands, with its schema as it is registered."""

    domain: str
    name: str
    schema: str


@dataclass(frozen=True)
class DomainTopics:
    """The topics of a domain."""

    commands: CommandTopic
    events: EventTopic
    outcomes: OutcomeTopic
