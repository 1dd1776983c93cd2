"""Commands and events of Millrace: types, Avro and JSON, partitions, ids, and a client.

from millrace_sdk import HttpClient
from millrace_sdk.domains.chirp import PostChirp

outcome = HttpClient("http://127.0.0.1:8080").send(PostChirp(author_id="ann", chirp_id="c1", content="Hello"))
"""

from .bad import BadMessage, MillraceError, UnknownSchema
from .domains.envelope import Metadata, Outcome, Position, Status, Version, Violation
from .domains.names import Commands, Events
from .framing import frame, unframe
from .http import Answer, HttpClient, Page, Problem
from .ids import event_id, is_id, new_id, step_id
from .json_ import record_to_json
from .kinds import CommandData, CommandTopic, EventData, EventTopic, OutcomeTopic, Record, Row
from .messages import (
    Command,
    Event,
    UnknownMessage,
    command_to_json,
    decode_command,
    decode_event,
    decode_outcome,
    encode_command,
    encode_event,
    encode_outcome,
    outcome_from_json,
)
from .partition import murmur2, partition_of
from .reading import Reading
from .registry import Registry

__all__ = [
    "Answer",
    "BadMessage",
    "Command",
    "CommandData",
    "CommandTopic",
    "Commands",
    "Event",
    "EventData",
    "EventTopic",
    "Events",
    "HttpClient",
    "Metadata",
    "MillraceError",
    "Outcome",
    "OutcomeTopic",
    "Page",
    "Position",
    "Problem",
    "Reading",
    "Record",
    "Registry",
    "Row",
    "Status",
    "UnknownMessage",
    "UnknownSchema",
    "Version",
    "Violation",
    "command_to_json",
    "decode_command",
    "decode_event",
    "decode_outcome",
    "encode_command",
    "encode_event",
    "encode_outcome",
    "event_id",
    "frame",
    "is_id",
    "murmur2",
    "new_id",
    "outcome_from_json",
    "partition_of",
    "record_to_json",
    "step_id",
    "unframe",
]
