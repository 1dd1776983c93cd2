"""Looks for texts in every byte that a system has written, as it is and as it may have been written.

    scan.py --kafka HOSTS --prefix PREFIX --files FOLDER (--sqlite FOLDER | --cql HOST KEYSPACE) < needles.json

The needles are a JSON object of names and texts. Every record of every topic is read as its writer gave it, whatever it is
compressed with, the broker's own topics and aborted transactions among them; every file of the folder; every row of
every table. Prints a JSON object: where each needle was found how often, and how much was read.
"""

from __future__ import annotations

import argparse
import base64
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from client import Got, as_bytes


def spellings(text: str) -> set[bytes]:
    """The text in UTF-8, UTF-16, hexadecimal, and in base64 wherever in a longer text it may begin."""
    plain = text.encode()
    found = {plain, text.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + plain)
        # the first and the last characters also depend on what stands beside it
        inner = whole[(0, 2, 3)[shift] : len(whole) - (0, 4, 3)[(shift + len(plain)) % 3]]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


class Scan:
    """What was found, and how much was looked at."""

    def __init__(self, needles: dict[str, str]) -> None:
        self.needles = {name: spellings(text) for name, text in needles.items()}
        self.found: dict[str, Counter[str]] = {name: Counter() for name in needles}
        self.read: Counter[str] = Counter()

    def look(self, kind: str, where: str, data: bytes | None) -> None:
        """Looks at these bytes."""
        if not data:
            return
        self.read[kind] += len(data)
        for name, wanted in self.needles.items():
            if any(one in data for one in wanted):
                self.found[name][where] += 1


def records(kafka: str, prefix: str) -> Iterator[tuple[str, Got]]:
    """Every record of the system's topics and of the broker's own."""
    topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=60).topics
    wanted = [name for name in topics if name.startswith((prefix, "__"))]
    # an aborted transaction has written what it has written
    options = {"group.id": "scan", "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
    consumer = Consumer({"bootstrap.servers": kafka, **options})
    left: set[tuple[str, int]] = set()
    for topic in wanted:
        for partition in topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=60)
            if high > low:
                left.add((topic, partition))
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in left])
    ends = {at: consumer.get_watermark_offsets(TopicPartition(*at), timeout=60)[1] for at in left}
    while left:
        for message in consumer.consume(10_000, timeout=1.0):
            if message.error() is None:
                yield str(message.topic()), Got.of(message)
        positions = consumer.position([TopicPartition(topic, partition) for topic, partition in left])
        # what a log ends with may be no record but a mark of a transaction, which the position passes as well
        left -= {(at.topic, at.partition) for at in positions if at.offset >= ends[at.topic, at.partition]}
    consumer.close()


def rows(arguments: argparse.Namespace) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every row of every table."""
    if arguments.sqlite:
        for path in sorted(Path(arguments.sqlite).glob("*.sqlite")):
            file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
            for (table,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in file.execute(f'SELECT * FROM "{table}"'):
                    yield f"{path.stem}.{table}", row
        return
    from views import Cql

    address, keyspace = arguments.cql
    cql = Cql(address, keyspace)
    for table in cql.cluster.metadata.keyspaces[keyspace].tables:
        for row in cql.rows(f'"{table}"', ["*"]):
            yield f"{keyspace}.{table}", row


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--files", type=Path, required=True)
    tables = parser.add_mutually_exclusive_group(required=True)
    tables.add_argument("--sqlite")
    tables.add_argument("--cql", nargs=2)
    arguments = parser.parse_args()
    scan = Scan(json.load(sys.stdin))

    for topic, record in records(arguments.kafka, arguments.prefix):
        for part in (record.key, record.value, *record.headers.values()):
            scan.look("topics", topic, as_bytes(part))
        scan.read["records"] += 1
    for path in arguments.files.rglob("*"):
        if path.is_file():
            scan.look("files", str(path.relative_to(arguments.files)), path.read_bytes())
    for table, row in rows(arguments):
        for value in row:
            scan.look("tables", table, value if isinstance(value, bytes) else str(value).encode())
        scan.read["rows"] += 1
    print(json.dumps({"found": scan.found, "read": scan.read}))


if __name__ == "__main__":
    main()
