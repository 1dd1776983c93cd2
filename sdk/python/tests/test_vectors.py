"""The vectors: our code, fastavro and the files agree."""

from __future__ import annotations

import io
import json
import os
import random
import re
import sys
import unittest
from pathlib import Path
from typing import Any

import fastavro

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from millrace_sdk import (  # noqa: E402
    BadMessage,
    Command,
    Commands,
    CommandTopic,
    Event,
    EventTopic,
    Metadata,
    Outcome,
    OutcomeTopic,
    Reading,
    UnknownMessage,
    UnknownSchema,
    command_to_json,
    decode_command,
    decode_event,
    decode_outcome,
    encode_command,
    encode_event,
    encode_outcome,
    event_id,
    frame,
    is_id,
    murmur2,
    new_id,
    outcome_from_json,
    partition_of,
    record_to_json,
    step_id,
    unframe,
)
from millrace_sdk.domains import ALL  # noqa: E402
from millrace_sdk.json_ import JsonSource  # noqa: E402

FOLDER = Path(__file__).parent.parent.parent / "vectors"
AnyTopic = CommandTopic | EventTopic | OutcomeTopic
Message = Command[Any] | Event[Any] | Outcome


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


TOPICS: dict[str, tuple[AnyTopic, int]] = {}
VECTORS: list[dict[str, Any]] = []
for _name, _domain in ALL.items():
    _file = load(f"{_name}.json")
    for _topic in (_domain.commands, _domain.events, _domain.outcomes):
        TOPICS[_topic.name] = (_topic, _file["topics"][_topic.name]["schema_id"])
    VECTORS += _file["vectors"]


def decode(topic: AnyTopic, body: bytes) -> Message:
    if isinstance(topic, CommandTopic):
        return decode_command(topic, body)
    return decode_event(topic, body) if isinstance(topic, EventTopic) else decode_outcome(body)


def encode(topic: AnyTopic, value: Any) -> bytes:
    if isinstance(topic, CommandTopic):
        return encode_command(topic, value)
    return encode_event(topic, value) if isinstance(topic, EventTopic) else encode_outcome(value)


def texts(value: Any) -> Any:
    """Numbers as their digits, as vectors have longs."""
    if isinstance(value, dict):
        return {name: texts(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [texts(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ENVELOPE = ("aggregate_id", "version", "command_id", "command_offset", "recorded_at")


def shown(value: Any) -> Any:
    """A message as vectors have it."""
    if isinstance(value, Outcome):
        return texts(record_to_json(value))
    whole = {"id": value.id, "type": value.type, "metadata": record_to_json(value.metadata)}
    if isinstance(value, Event) or (isinstance(value, UnknownMessage) and value.version is not None):
        whole |= {name: getattr(value, name) for name in ENVELOPE}
    if not isinstance(value, UnknownMessage):
        whole["data"] = record_to_json(value.data)
    return texts(whole)


def given(topic: AnyTopic, value: dict[str, Any]) -> Message:
    """A message out of what vectors have."""
    if isinstance(topic, OutcomeTopic):
        return outcome_from_json(value)
    kind = next(kind for kind in topic.kinds if kind.TYPE == value["type"])
    data: Any = kind.read(JsonSource(value["data"]))
    metadata = Metadata.read(JsonSource(value["metadata"]))
    if isinstance(topic, CommandTopic):
        return Command(id=value["id"], metadata=metadata, data=data)
    longs = {name: int(value[name]) for name in ("version", "command_offset", "recorded_at")}
    rest = {name: value[name] for name in ("id", "aggregate_id", "command_id")}
    return Event(metadata=metadata, data=data, **longs, **rest)


class Vectors(unittest.TestCase):
    """What every language is held to."""

    maxDiff = None

    def test_every_domain_has_vectors(self) -> None:
        apart = {"invalid.json", "evolution.json", "ids.json", "keys.json"}
        self.assertEqual({path.name for path in FOLDER.glob("*.json")} - apart, {f"{name}.json" for name in ALL})
        self.assertGreaterEqual(len(VECTORS), 2000)
        self.assertEqual(Commands.PostChirp, "PostChirp")

    def test_values_are_the_bytes(self) -> None:
        for vector in VECTORS:
            topic, schema_id = TOPICS[vector["topic"]]
            body = bytes.fromhex(vector["bytes"])
            read = decode(topic, body)
            self.assertEqual(shown(read), texts(vector["value"]), vector["name"])
            self.assertEqual(encode(topic, read).hex(), vector["bytes"], vector["name"])
            self.assertEqual(given(topic, vector["value"]), read, vector["name"])
            self.assertEqual(encode(topic, given(topic, vector["value"])).hex(), vector["bytes"], vector["name"])
            self.assertEqual(frame(schema_id, body).hex(), vector["framed"])
            self.assertEqual(unframe(bytes.fromhex(vector["framed"])), (schema_id, body))

    def test_the_json_is_the_gateways(self) -> None:
        for vector in VECTORS:
            read = decode(TOPICS[vector["topic"]][0], bytes.fromhex(vector["bytes"]))
            if not isinstance(read, Event):
                made = command_to_json(read) if isinstance(read, Command) else record_to_json(read)
                text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
                self.assertEqual(text, vector["json"], vector["name"])
            if isinstance(read, Outcome):
                self.assertEqual(outcome_from_json(json.loads(vector["json"])), read)

    def test_keys_partitions_and_aggregates(self) -> None:
        for vector in VECTORS:
            read = decode(TOPICS[vector["topic"]][0], bytes.fromhex(vector["bytes"]))
            if not isinstance(read, Outcome):
                self.assertEqual(read.data.routing_key(), vector["key"], vector["name"])
                self.assertEqual(read.data.aggregate_id(), vector["aggregate_id"], vector["name"])
                self.assertEqual(read.domain, vector["domain"])
                for of, at in vector["partition"].items():
                    self.assertEqual(partition_of(vector["key"], int(of)), at)
        for vector in load("keys.json")["vectors"]:
            self.assertEqual(murmur2(vector["key"].encode()), vector["murmur2"])
            for of, at in vector["partition"].items():
                self.assertEqual(partition_of(vector["key"], int(of)), at)

    def test_ids(self) -> None:
        for vector in load("ids.json")["vectors"]:
            if vector["of"] == "event":
                self.assertEqual(event_id(vector["message"], vector["index"]), vector["id"])
            else:
                self.assertEqual(step_id(vector["process"], vector["step"]), vector["id"])
        form = "01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        self.assertTrue(re.fullmatch(form, new_id(0x0123456789AB)))
        self.assertNotEqual(new_id(), new_id())
        self.assertTrue(is_id(new_id()) and not is_id("a/b") and not is_id("a\n"))

    def test_fastavro_reads_and_writes_the_same(self) -> None:
        schemas = {name: fastavro.parse_schema(plain(json.loads(topic.schema))) for name, (topic, _) in TOPICS.items()}
        for vector in VECTORS:
            schema = schemas[vector["topic"]]
            stream = io.BytesIO(bytes.fromhex(vector["bytes"]))
            read: Any = fastavro.schemaless_reader(stream, schema, None, return_record_name=True)
            self.assertEqual(stream.read(), b"", vector["name"])
            out = io.BytesIO()
            fastavro.schemaless_writer(out, schema, read)
            self.assertEqual(out.getvalue().hex(), vector["bytes"], vector["name"])
            value = dict(vector["value"])
            if "type" in value:
                name, data = read["data"]
                self.assertEqual(name.rpartition(".")[2], value.pop("type"), vector["name"])
                read["data"] = data
                if "sealed_token" in data:
                    data["sealed_token"] = json.loads(
                        json.dumps(
                            command_to_json(decode_command(ALL["identity"].commands, bytes.fromhex(vector["bytes"])))
                        )
                    )["data"]["sealed_token"]
            self.assertEqual(texts(unnamed(read)), texts(value), vector["name"])

    def test_what_is_no_message_is_refused(self) -> None:
        for vector in load("invalid.json")["vectors"]:
            with self.assertRaises(BadMessage, msg=vector["name"]):
                decode(TOPICS[vector["topic"]][0], bytes.fromhex(vector["bytes"]))
        for vector in VECTORS[::9]:
            body = bytes.fromhex(vector["bytes"])
            for cut in range(len(body)):
                with self.assertRaises(BadMessage, msg=vector["name"]):
                    decode(TOPICS[vector["topic"]][0], body[:cut])

    def test_an_error_names_the_field(self) -> None:
        topic = TOPICS["chirp.commands"][0]
        vector = next(vector for vector in VECTORS if vector["name"] == "chirp.commands/PostChirp/5")
        with self.assertRaisesRegex(BadMessage, r"^data\.\w+: it is cut off, at byte"):
            decode(topic, bytes.fromhex(vector["bytes"])[:-1])
        for content, why in ((7, "expected a text"), ("\ud800", "a half of a surrogate pair")):
            command: Any = given(topic, vector["value"])
            object.__setattr__(command.data, "content", content)
            with self.assertRaisesRegex(BadMessage, rf"^data\.content: {why}"):
                encode(topic, command)

    def test_what_other_versions_have_written(self) -> None:
        file = load("evolution.json")
        readings = {name: Reading(topic) for name, (topic, _) in TOPICS.items()}
        for schema in file["schemas"]:
            readings[schema["topic"]].learn(schema["id"], schema["schema"])
        unknown = 0
        for vector in file["vectors"]:
            framed = bytes.fromhex(vector["framed"])
            read = readings[vector["topic"]].read(framed)
            if "unknown" in vector:
                unknown += 1
                self.assertIsInstance(read, UnknownMessage)
            self.assertEqual(shown(read), texts(vector.get("unknown") or vector["value"]), vector["name"])
            for cut in range(5, len(framed), 7):
                with self.assertRaises(BadMessage, msg=vector["name"]):
                    readings[vector["topic"]].read(framed[:cut])
        self.assertGreater(unknown, 20)
        with self.assertRaises(UnknownSchema):
            readings["chirp.events"].read(b"\0\x09\x09\x09\x09")

    def test_inputs_that_were_changed(self) -> None:
        count = int(os.environ.get("MUTATIONS", "20000"))
        schemas = load("evolution.json")["schemas"]
        readings = {name: Reading(topic) for name, (topic, _) in TOPICS.items()}
        newer = {schema["topic"]: schema["id"] for schema in schemas if schema["version"] == "newer"}
        for name, (topic, schema_id) in TOPICS.items():
            readings[name].learn(schema_id, topic.schema)
        for schema in schemas:
            readings[schema["topic"]].learn(schema["id"], schema["schema"])
        dice = random.Random(int(os.environ.get("SEED", "1")))
        refused = 0
        for _ in range(count):
            vector = dice.choice(VECTORS)
            framed = bytearray.fromhex(vector["framed"])
            if dice.random() < 0.5:
                framed[1:5] = newer[vector["topic"]].to_bytes(4, "big")
            for _ in range(dice.randint(1, 4)):
                at = dice.randrange(len(framed))
                if dice.random() < 0.25:
                    del framed[at + 1 :]
                else:
                    framed[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
            try:
                readings[vector["topic"]].read(bytes(framed))
            except (BadMessage, UnknownSchema):
                refused += 1
        self.assertTrue(count / 4 < refused < count, f"{refused} of {count} were refused")


def plain(schema: Any) -> Any:
    """Times as the longs that they are."""
    if isinstance(schema, dict):
        return {name: plain(of) for name, of in schema.items() if name != "logicalType"}
    return [plain(one) for one in schema] if isinstance(schema, list) else schema


def unnamed(value: Any) -> Any:
    """What fastavro has read, without the names of records in unions; bytes as hexadecimal digits."""
    if isinstance(value, dict):
        return {name: unnamed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [unnamed(one) for one in value]
    if isinstance(value, tuple):
        return unnamed(value[1])
    return value.hex() if isinstance(value, bytes) else value


if __name__ == "__main__":
    unittest.main()
