"""Estimation's aggregator: follows the events on Kafka and keeps the view data in SQLite.

Rows, and how far they go, are one transaction. So it may be killed at any time: it goes on where its rows end.

TOPIC_PREFIX is what the names of the deployment's topics begin with, if they do.

usage: KAFKA=127.0.0.1:9092 REGISTRY=http://127.0.0.1:8081 python aggregator.py FOLDER          follows, and says what it has applied
       python aggregator.py FOLDER --rows                                                      prints the rows
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import views
from confluent_kafka import Consumer, KafkaException, TopicPartition
from millrace_sdk import Reading, Registry
from millrace_sdk.domains.estimation import EVENTS

BATCH = 200
"""Events in one transaction, at most."""


def open_store(folder: Path) -> sqlite3.Connection:
    """The database in a folder, with its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(folder / "estimation.sqlite", isolation_level=None)
    # a transaction that was reported is on the disk
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    views.create(store)
    store.execute(
        "CREATE TABLE IF NOT EXISTS applied (topic_partition INTEGER PRIMARY KEY, next INTEGER, events INTEGER)"
    )
    return store


def follow(store: sqlite3.Connection, kafka: str, registry: Registry) -> None:
    """Applies what there is and what comes, for ever."""
    settings = {"bootstrap.servers": kafka, "group.id": "unused", "isolation.level": "read_committed"}
    consumer = Consumer(settings | {"enable.auto.commit": False})
    topic = os.environ.get("TOPIC_PREFIX", "") + EVENTS.name
    found = consumer.list_topics(topic, 10).topics[topic]
    if found.error:
        raise KafkaException(found.error)
    begun = dict(store.execute("SELECT topic_partition, next FROM applied"))
    consumer.assign([TopicPartition(topic, at, begun.get(at, 0)) for at in found.partitions])
    reading = Reading(EVENTS)
    report(store)
    while True:
        messages = consumer.consume(BATCH, 0.2)
        if not messages:
            continue
        store.execute("BEGIN IMMEDIATE")
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            views.apply(store, registry.read(reading, message.value()))
            store.execute(
                "INSERT INTO applied VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET next = excluded.next, events = events + 1",
                (message.partition(), message.offset() + 1),
            )
        store.execute("COMMIT")
        report(store)


def report(store: sqlite3.Connection) -> None:
    """Says how many events the rows come from."""
    (applied,) = store.execute("SELECT COALESCE(SUM(events), 0) FROM applied").fetchone()
    print(f"applied {applied}", flush=True)


def rows(store: sqlite3.Connection) -> None:
    """Prints every row as a line of JSON, with the name of its view."""
    for row in views.VIEWS:
        names = list(views.columns(row))
        for values in store.execute(f'SELECT {", ".join(names)} FROM "{row.VIEW}"'):
            print(json.dumps({"view": row.VIEW, "row": dict(zip(names, values))}, ensure_ascii=False))


def main() -> None:
    """Follows, or prints."""
    store = open_store(Path(sys.argv[1]))
    if sys.argv[2:] == ["--rows"]:
        rows(store)
    else:
        follow(store, os.environ["KAFKA"], Registry(os.environ["REGISTRY"]))


if __name__ == "__main__":
    main()
