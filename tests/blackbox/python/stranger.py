"""A consumer group that nobody has declared: reads a topic until its standard input ends."""

from __future__ import annotations

import argparse
import sys
import threading

from confluent_kafka import Consumer, TopicPartition


def assigned(consumer: Consumer, places: list[TopicPartition]) -> None:
    """Commits at once: a group without offsets is forgotten when its last member leaves."""
    begin = [TopicPartition(place.topic, place.partition, 0) for place in places]
    consumer.commit(offsets=begin, asynchronous=False)
    print("assigned", flush=True)


def main() -> None:
    """Joins, says `assigned` when it was dealt partitions, and reads on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--protocol", default="classic")
    given = parser.parse_args()
    settings = {
        "bootstrap.servers": given.kafka,
        "group.id": given.group,
        "client.id": "a stranger",
        "group.protocol": given.protocol,
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 500,
    }
    if given.protocol == "classic":
        settings["session.timeout.ms"] = 6000
    consumer = Consumer(settings)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    consumer.subscribe([given.topic], on_assign=assigned)
    while not ended.is_set():
        consumer.poll(0.1)
    consumer.close()


if __name__ == "__main__":
    main()
