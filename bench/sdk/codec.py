"""Measures the package of Python beside fastavro, on the commands and events of the vectors: nanoseconds a message, as JSON."""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import fastavro

SDK = Path(__file__).parent.parent.parent / "sdk"
sys.path.insert(0, str(SDK / "python" / "src"))

from millrace_sdk import decode_command, decode_event, encode_command, encode_event  # noqa: E402
from millrace_sdk.domains import ALL  # noqa: E402

ROUND_S = 0.5
ROUNDS = 7


def plain(schema: Any) -> Any:
    """Times as the longs that they are: ours are numbers, too, and a `datetime` has no instants before the year 1."""
    if isinstance(schema, dict):
        return {name: plain(of) for name, of in schema.items() if name != "logicalType"}
    return [plain(one) for one in schema] if isinstance(schema, list) else schema


def read(body: bytes, schema: Any) -> Any:
    """A message as fastavro has it, with the name of its branch, which it is written by."""
    return fastavro.schemaless_reader(io.BytesIO(body), schema, None, return_record_name=True)


def main() -> None:
    """Runs it."""
    messages = []
    for name, topics in ALL.items():
        file = json.loads((SDK / "vectors" / f"{name}.json").read_text())
        for topic, decode, encode in (
            (topics.commands, decode_command, encode_command),
            (topics.events, decode_event, encode_event),
        ):
            schema = fastavro.parse_schema(plain(json.loads(topic.schema)))
            for vector in file["vectors"]:
                if vector["topic"] == topic.name:
                    body = bytes.fromhex(vector["bytes"])
                    messages.append((topic, schema, decode, encode, body, decode(topic, body), read(body, schema)))

    def decode_own() -> None:
        for topic, _, decode, _, body, _, _ in messages:
            decode(topic, body)

    def decode_peer() -> None:
        for _, schema, _, _, body, _, _ in messages:
            read(body, schema)

    def encode_own() -> None:
        for topic, _, _, encode, _, own, _ in messages:
            encode(topic, own)

    def encode_peer() -> None:
        for _, schema, _, _, _, _, peer in messages:
            out = io.BytesIO()
            fastavro.schemaless_writer(out, schema, peer)
            out.getvalue()

    work = {
        "decode millrace": decode_own,
        "decode peer": decode_peer,
        "encode millrace": encode_own,
        "encode peer": encode_peer,
    }
    rounds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, one in work.items():
            begun, passes = time.process_time_ns(), 0
            while time.process_time_ns() - begun < ROUND_S * 1e9:
                one()
                passes += 1
            rounds[name].append((time.process_time_ns() - begun) / passes / len(messages))
    print(json.dumps({name: statistics.median(times) for name, times in rounds.items()}))


if __name__ == "__main__":
    main()
