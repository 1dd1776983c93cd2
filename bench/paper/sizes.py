"""What a chirp and a follow are in bytes: as records of Kafka and as rows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from paper.model import ROOT, Habits, Model


def avro_bytes(schema: Any, value: Any, names: dict[str, Any] | None = None) -> int:
    """Bytes of a value in Avro. Of a union with several records the value is a pair of the branch's name and its fields."""
    names = {} if names is None else names
    if isinstance(schema, list):
        if value is None:
            return 1
        branches = [branch for branch in schema if branch != "null"]
        if len(branches) > 1:
            name, value = value
            branches = [branch for branch in branches if branch["name"] == name]
        return 1 + avro_bytes(branches[0], value, names)
    if isinstance(schema, dict):
        kind = schema["type"]
        if kind == "record":
            names[schema["name"]] = schema
            return sum(avro_bytes(part["type"], value.get(part["name"]), names) for part in schema["fields"])
        if kind == "array":
            sizes = [avro_bytes(schema["items"], item, names) for item in value]
            return sum(sizes) + (_varint(len(sizes)) if sizes else 0) + 1
        return 1 if kind == "enum" else avro_bytes(kind, value, names)
    if schema in names:
        return avro_bytes(names[schema], value, names)
    if schema == "bytes":
        return _varint(len(value)) + len(value)
    if schema == "string":
        return _varint(len(value.encode())) + len(value.encode())
    return 1 if schema == "boolean" else _varint(value)


def _varint(number: int) -> int:
    return max(1, math.ceil((2 * number).bit_length() / 7))


@dataclass(frozen=True)
class Sizes:
    """Bytes of a record: key, and value with the five that name its schema."""

    key: int
    value: int


def records(habits: Habits, follow: bool = False) -> dict[str, tuple[str, dict[str, Any]]]:
    """Keys and values of the four records of a chirp, or of a follow, by the suffix of their topics."""
    id_, content = "x" * int(habits.id_bytes), "x" * int(habits.content_bytes)
    offset, now = 10**9, 1_750_000_000_000_000
    metadata = {"user_id": id_}
    if follow:
        kinds, data = ("FollowUser", "UserFollowed"), {"follower_id": id_, "followee_id": id_}
        aggregate = f"FollowRelationship/{id_}/{id_}"
        state: dict[str, Any] = {"follow_relationship": {"active": True, "since": now}}
    else:
        kinds, data = ("PostChirp", "ChirpPosted"), {"chirp_id": id_, "author_id": id_, "content": content}
        aggregate = f"Chirp/{id_}/{id_}"
        state = {"chirp": {"author_id": id_, "content": content, "posted_at": now, "deleted": False}}
    stamped = {"aggregate_id": aggregate, "version": 1, "recorded_at": now, "revision": 0}
    cause = {"command_id": id_, "command_offset": offset}
    position = {"topic": "chirp.commands", "partition": 100, "offset": offset, "epoch": 0}
    asked = {"command_type": kinds[0], "digest": b"x" * 32}
    version = {"aggregate_id": aggregate, "version": 1}
    answer = {"status": "accepted", "duplicate": False, "positions": [position], "versions": [version]}
    return {
        "commands": (id_, {"id": id_, "metadata": metadata, "data": (kinds[0], data)}),
        "events": (id_, {"id": id_, "metadata": metadata, **stamped, **cause, "data": (kinds[1], data)}),
        "state": (aggregate, {**stamped, **state}),
        "outcomes": (id_, {"command_id": id_, **answer, "violations": [], "recorded_at": now, **asked}),
    }


@cache
def record_sizes(habits: Habits, follow: bool = False) -> dict[str, Sizes]:
    """How large those records are."""
    return {name: Sizes(len(key), 5 + avro_bytes(schema(name), value)) for name, (key, value) in records(habits, follow).items()}


def schema(name: str) -> Any:
    """Of the values of a topic of chirp."""
    return json.loads((ROOT / "schemas" / "chirp" / "registered" / f"{name}.avsc").read_text())


def record_bytes(model: Model, name: str, follow: bool = False) -> float:
    """Bytes of one record on one broker."""
    size = record_sizes(model.habits, follow)[name]
    return (size.key + size.value + model.constants.record_overhead) * model.constants.compressed


def row_bytes(model: Model, table_name: str) -> float:
    """Bytes of one row on one node: values, a time for each column of times, and what stands beside them."""
    habits, constants = model.habits, model.constants
    texts = {
        "chirps": 2 * habits.id_bytes + habits.username_bytes + habits.content_bytes,
        "chirps_by_author": habits.id_bytes + habits.username_bytes + habits.content_bytes,
        # the reader's id is there once for all rows of the timeline
        "home_timelines": 2 * habits.id_bytes + habits.username_bytes + habits.content_bytes,
        "following_by_user": habits.id_bytes + 8,
        "followers_by_user": habits.id_bytes,
    }
    return (texts[table_name] + 8 + constants.row_overhead) * constants.compressed
