"""A foreign client that does as it is told: one request a line on standard input, one answer a line.

It can send what a decent client would not: no key, a wrong partition, any bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import requests
from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

import client
import views
from client import COMMANDS, Codec, Got, Record, Servers
from message import ROUTING_FIELD


class Tail:
    """All of a topic so far, read on when something new is asked for."""

    def __init__(self, servers: Servers, topic: str) -> None:
        self.servers = servers
        self.topic = topic
        self.reading: Consumer | None = None
        self.records: list[Got] = []

    def find(self, wanted: Callable[[Got], bool], seconds: float) -> Got:
        """The first record that is wanted, when it is there."""
        deadline = time.monotonic() + seconds
        seen = 0
        while True:
            for record in self.records[seen:]:
                if wanted(record):
                    return record
            seen = len(self.records)
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing of that kind in {seen} records of {self.topic} for {seconds} s")
            self._read()

    def all(self) -> list[Got]:
        """Everything up to the present end."""
        self.records = list(client.read_all(self.servers, self.topic))
        self.reading = None
        return self.records

    def _read(self) -> None:
        if self.reading is None:
            self.reading, _ = client.consumer(self.servers, self.topic)
            self.records.clear()
        for message in self.reading.consume(500, 0.1):
            if message.error() is None:
                self.records.append(Got.of(message))


class Foreign:
    """The requests."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.commands = servers.topic("commands")
        self.codec = Codec(servers.registry)
        # A megabyte as an id is no reason for the client to refuse it.
        self.producer = client.producer(servers, **{"message.max.bytes": 8_000_000, "linger.ms": 0})
        self.outcomes = Tail(servers, servers.topic("outcomes"))
        self.dead_topic = Tail(servers, servers.topic("commands.dead"))
        self.answered: dict[str, int] = {}
        self.holding: Producer | None = None

    def send(self, request: Record) -> Record:
        """Sends a command."""
        key = request.get("key", request["data"].get(ROUTING_FIELD.get(request["type"], "")))
        return self._produce(key, request.get("partition"), self._bytes(request))

    def send_all(self, request: Record) -> Record:
        """Sends many commands and waits until each of them has been accepted."""
        waiting = set()
        for command in request["commands"]:
            key = command["data"][ROUTING_FIELD[command["type"]]]
            self.producer.produce(self.commands, self._bytes(command), client.as_bytes(key))
            self.producer.poll(0)
            waiting.add(command["id"])
        self.producer.flush(60)

        def last(got: Got) -> bool:
            if got.text in waiting:
                waiting.discard(got.text)
                outcome = self.codec.decode(got.value)
                if outcome["status"] != "accepted":
                    raise ValueError(f"not accepted: {outcome}")
            return not waiting

        if waiting:
            self.outcomes.find(last, request["seconds"])
        return {}

    def table(self, request: Record) -> Record:
        """Columns of every row of a table."""
        tables = views.Cql(request["address"], request["keyspace"])
        try:
            return {"rows": [list(row) for row in tables.rows(request["table"], request["columns"])]}
        finally:
            tables.cluster.shutdown()

    def encode(self, request: Record) -> Record:
        """A command's bytes."""
        return {"hex": self._bytes(request).hex()}

    def raw(self, request: Record) -> Record:
        """Sends any bytes."""
        payload = None if request["hex"] is None else bytes.fromhex(request["hex"])
        key = bytes.fromhex(request["key_hex"]) if "key_hex" in request else request["key"]
        return self._produce(key, request["partition"], payload)

    def hold(self, request: Record) -> Record:
        """Begins a transaction, writes a command in it, and leaves it open."""
        configuration = {"bootstrap.servers": self.servers.kafka, "transactional.id": request["transactional_id"]}
        self.holding = Producer({**configuration, "transaction.timeout.ms": 300_000})
        self.holding.init_transactions(30)
        self.holding.begin_transaction()
        key = request["data"][ROUTING_FIELD[request["type"]]]
        partition = request["partition"]
        self.holding.produce(self.commands, self._bytes(request), client.as_bytes(key), partition)
        self.holding.flush(30)
        return {}

    def release(self, _request: Record) -> Record:
        """Commits the transaction that was left open."""
        if self.holding is not None:
            self.holding.commit_transaction(30)
            self.holding = None
        return {}

    def schema_id(self, request: Record) -> Record:
        """The id of the newest schema of one of chirp's topics."""
        return {"schema_id": self.codec.newest(self.servers.topic(request["topic"]))[0]}

    def grow(self, request: Record) -> Record:
        """Gives a topic more partitions, behind everybody's back."""
        topic = self.servers.topic(request["topic"])
        admin = AdminClient({"bootstrap.servers": self.servers.kafka})
        admin.create_partitions([NewPartitions(topic, request["partitions"])])[topic].result(30)
        return {}

    def outcome(self, request: Record) -> Record:
        """The next outcome of a command id."""
        id_ = request["id"]
        skip = self.answered.get(id_, 0)
        count = -1

        def wanted(got: Got) -> bool:
            nonlocal count
            count += got.text == id_
            return bool(got.text == id_ and count == skip)

        got = self.outcomes.find(wanted, request["seconds"])
        self.answered[id_] = skip + 1
        return {"outcome": self.codec.decode(got.value), "partition": got.partition}

    def outcome_ids(self, _request: Record) -> Record:
        """The ids of all outcomes."""
        return {"ids": [got.text for got in self.outcomes.all()]}

    def dead(self, request: Record) -> Record:
        """The dead record that came from a place in the commands."""
        partition, offset = str(request["partition"]).encode(), str(request["offset"]).encode()

        def wanted(got: Got) -> bool:
            from_there = (got.headers.get("millrace-partition"), got.headers.get("millrace-offset"))
            return bool(from_there == (partition, offset))

        got = self.dead_topic.find(wanted, request["seconds"])
        headers = {name: value.decode(errors="replace") for name, value in got.headers.items()}
        return {"headers": headers, "length": None if got.value is None else len(got.value)}

    def evolve(self, request: Record) -> Record:
        """Registers a newer schema for commands: a field more in PostChirp, or a message more."""
        subject = f"{self.commands}-value"
        newest = self.codec.registry.get_latest_version(subject)
        schema = json.loads(newest.schema.schema_str or "null")
        union = next(field for field in schema["fields"] if field["name"] == "data")["type"]
        if request["change"] == "field":
            post = next(branch for branch in union if branch["name"] == "PostChirp")
            post["fields"].append({"name": "mood", "type": "string", "default": "none"})
        else:
            union.append(
                {"type": "record", "name": "PinChirp", "fields": [{"name": "chirp_id", "type": "string"}]}
            )
        done = requests.post(
            f"{self.servers.registry}/subjects/{subject}/versions",
            json={"schema": json.dumps(schema)},
            timeout=30,
        )
        done.raise_for_status()
        self.codec = Codec(self.servers.registry)
        return {"schema_id": done.json()["id"]}

    def _bytes(self, request: Record) -> bytes:
        kind, data = request["type"], {**request["data"], **request.get("extra", {})}
        value: Record = client.command(request["id"], kind, data, **request.get("metadata", {}))
        # The branch is looked up in the schema as it is now, so a message may be one the system does not know.
        value["data"] = (f"{COMMANDS}.{kind}", data)
        return self.codec.encode(self.commands, value)

    def _produce(self, key: str | bytes | None, partition: int | None, payload: bytes | None) -> Record:
        done: list[Any] = []

        def delivered(error: object, message: Message) -> None:
            done.append(error if error is not None else Got.of(message))

        raw_key = client.as_bytes(key)
        self.producer.produce(
            self.commands, payload, raw_key, -1 if partition is None else partition, on_delivery=delivered
        )
        self.producer.flush(60)
        if not done:
            raise TimeoutError("not delivered within 60 s")
        if not isinstance(done[0], Got):
            raise KafkaException(done[0])
        return {"partition": done[0].partition, "offset": done[0].offset}


def main() -> None:
    """Answers requests until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    options = parser.parse_args()
    foreign = Foreign(Servers(options.kafka, options.registry, options.prefix))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(foreign, request["op"])(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to show it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
