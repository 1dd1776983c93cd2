"""What the Python clients of the table share: servers, Avro as docs/producers.md says it, and how results are told."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from typing import Any

import fastavro

KAFKA = os.environ["KAFKA"]
REGISTRY = os.environ.get("REGISTRY", "")
RUN = os.environ["RUN"]
SECONDS = 60.0

Result = dict[str, Any]


def schema(path: str) -> tuple[int, Any]:
    """Id and parsed schema that the registry has at a path; times stay numbers."""
    with urllib.request.urlopen(f"{REGISTRY}{path}") as answer:
        found = json.load(answer)
    return found.get("id", 0), fastavro.parse_schema(_plain(json.loads(found["schema"])))


def _plain(of: Any) -> Any:
    if isinstance(of, dict):
        return {key: _plain(value) for key, value in of.items() if key != "logicalType"}
    return [_plain(value) for value in of] if isinstance(of, list) else of


def encode(schema_id: int, of: Any, value: Any) -> bytes:
    """A zero byte, the schema's id in four, and the Avro body."""
    body = io.BytesIO()
    body.write(struct.pack(">bI", 0, schema_id))
    fastavro.schemaless_writer(body, of, value)
    return body.getvalue()


_SCHEMAS: dict[int, Any] = {}


def decode(value: bytes) -> Any:
    """What a value says, by the schema it was written with."""
    magic, schema_id = struct.unpack(">bI", value[:5])
    assert magic == 0
    if schema_id not in _SCHEMAS:
        _SCHEMAS[schema_id] = schema(f"/schemas/ids/{schema_id}")[1]
    return fastavro.schemaless_reader(
        io.BytesIO(value[5:]), _SCHEMAS[schema_id], None, return_record_name=True
    )


def registrations(client: str) -> list[tuple[str, bytes, str]]:
    """Routing key, value and id of the eight commands of the case `job`."""
    schema_id, written = schema("/subjects/chirp.commands-value/versions/1")
    commands = []
    for n in range(8):
        user, command_id = f"{client}-{RUN}-{n}", f"job-{client}-{RUN}-{n}"
        metadata = dict.fromkeys(
            ["trace_id", "user_id", "correlation_id", "causation_id", "issued_at", "expected_version"]
        )
        metadata["issued_at"] = time.time_ns() // 1000
        name = f"{client[:6]}_{RUN}_{n}".replace("-", "_")
        data = ("millrace.chirp.commands.RegisterUser", {"user_id": user, "username": name})
        value = encode(schema_id, written, {"id": command_id, "metadata": metadata, "data": data})
        commands.append((user, value, command_id))
    return commands


def told(answers: dict[str, list[Any]], ids: list[str]) -> Result:
    """The result of the case `job`, from the outcomes of each command."""
    first = [answers[command_id][0]["status"] for command_id in ids]
    again = answers[ids[0]][1]
    accepted = first.count("accepted")
    return {
        "outcomes": f"{accepted} accepted" if accepted == len(ids) else f"{answers}",
        "again": again["status"] + (", duplicate" if again["duplicate"] else ""),
    }


def murmur2(data: bytes) -> int:
    """The 32-bit hash of Kafka's Java client."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def belongs(key: bytes, partitions: int) -> int:
    """The partition a key belongs to: murmur2, masked to 31 bits, modulo the number of partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


KEYS = [f"key-{n}" for n in range(480)] + [f"schlüssel-{n}" for n in range(20)]


def run(cases: dict[str, Callable[[], Result]]) -> None:
    """Runs the cases named in the arguments and tells each result on a line."""
    for name in sys.argv[1:]:
        try:
            line: Result = {"case": name, "result": cases[name]()}
        except Exception as error:
            traceback.print_exc()
            line = {"case": name, "error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(line), flush=True)
