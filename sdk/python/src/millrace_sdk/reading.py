"""Topics, read by whichever version of its schema each message was written with."""

from __future__ import annotations

import json
from typing import Any

from .avro import Input
from .bad import BadMessage, UnknownSchema
from .domains.envelope import Metadata, Outcome
from .framing import unframe
from .kinds import CommandTopic, EventTopic, OutcomeTopic
from .messages import Command, Event, UnknownMessage, decode_command, decode_event, decode_outcome, event_envelope
from .resolve import Resolution


class Reading:
    """Reads a topic, whichever version of its schema each message was written with."""

    def __init__(self, topic: CommandTopic | EventTopic | OutcomeTopic) -> None:
        self._topic = topic
        self._known: dict[int, Resolution | str | None] = {}

    def learn(self, schema_id: int, schema: str) -> None:
        """Takes note of what the registry has under an id."""
        if is_same(schema, self._topic.schema):
            self._known[schema_id] = None
            return
        try:
            self._known[schema_id] = Resolution(schema, self._topic.schema)
        except ValueError as error:
            self._known[schema_id] = str(error)

    def read(self, framed: bytes) -> Command[Any] | Event[Any] | Outcome | UnknownMessage:
        """The message in a frame. Raises `UnknownSchema`, or `BadMessage` where it is none and never will be."""
        schema_id, body = unframe(framed)
        try:
            known = self._known[schema_id]
        except KeyError:
            raise UnknownSchema(schema_id) from None
        if known is None:
            return self._own(body)
        if isinstance(known, str):
            raise BadMessage("", f"schema {schema_id}: {known}")
        resolved, unknown = known.resolve(body)
        return self._own(resolved) if unknown is None else self._unknown(resolved, unknown)

    def _own(self, body: bytes) -> Command[Any] | Event[Any] | Outcome:
        topic = self._topic
        if isinstance(topic, CommandTopic):
            return decode_command(topic, body)
        return decode_event(topic, body) if isinstance(topic, EventTopic) else decode_outcome(body)

    def _unknown(self, body: bytes, kind: str) -> UnknownMessage:
        source = Input(body)
        if isinstance(self._topic, EventTopic):
            return UnknownMessage(domain=self._topic.domain, type=kind, **event_envelope(source))
        message_id, metadata = source.text("id"), source.record("metadata", Metadata)
        return UnknownMessage(domain=self._topic.domain, type=kind, id=message_id, metadata=metadata)


def is_same(one: str, other: str) -> bool:
    """Whether two texts are one schema, however they are written."""
    try:
        return one == other or bool(_plain(json.loads(one)) == _plain(json.loads(other)))
    except (ValueError, RecursionError):
        return False


def _plain(schema: Any) -> Any:
    """A schema without what changes no bytes."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if isinstance(schema, dict):
        return {name: _plain(of) for name, of in schema.items() if name not in ("doc", "aggregate")}
    return schema
