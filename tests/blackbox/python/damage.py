"""Damages what a system has stored, behind everybody's back, so that an audit has something to find."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path

from confluent_kafka import Producer

import client
from client import Servers


def again(servers: Servers, suffix: str, key: str, *, tombstone: bool) -> None:
    """Writes the last record of a key once more, as it was or as a tombstone."""
    topic = servers.topic(suffix)
    last = [record for record in client.read_all(servers, topic) if record.text == key][-1]
    producer = Producer({"bootstrap.servers": servers.kafka})
    value = None if tombstone else last.value
    producer.produce(topic, key=last.key, value=value, partition=last.partition)
    producer.flush()


def main() -> None:
    """One act of damage for each option."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--repeat", nargs=2, metavar=("TOPIC", "KEY"), action="append", default=[])
    parser.add_argument("--tombstone", nargs=2, metavar=("TOPIC", "KEY"), action="append", default=[])
    parser.add_argument("--sqlite", type=Path)
    parser.add_argument("--sql", action="append", default=[])
    arguments = parser.parse_args()
    servers = Servers(arguments.kafka, arguments.registry, arguments.prefix)
    for topic, key in arguments.repeat:
        again(servers, topic, key, tombstone=False)
    for topic, key in arguments.tombstone:
        again(servers, topic, key, tombstone=True)
    if arguments.sql:
        connection = sqlite3.connect(arguments.sqlite, timeout=30)
        with connection:
            for statement in arguments.sql:
                if connection.execute(statement).rowcount < 1:
                    raise SystemExit(f"nothing was damaged by: {statement}")
        connection.close()


if __name__ == "__main__":
    main()
