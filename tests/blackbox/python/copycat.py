"""A foreign producer with a schema of its own for commands: a copy of Millrace's under another namespace.

It does what serializers do unless they are told otherwise: it registers what it writes with.
"""

from __future__ import annotations

import argparse
import json

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

NAMESPACE = "com.acme.social"


def main() -> None:
    """Sends one command that registers a user."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--user", required=True)
    options = parser.parse_args()
    registry = SchemaRegistryClient({"url": options.registry})
    topic = "chirp.commands"
    text = registry.get_version(f"{topic}-value", 1).schema.schema_str or ""
    own = json.loads(text)["namespace"]
    encode = AvroSerializer(registry, text.replace(own, NAMESPACE), conf={"auto.register.schemas": True})
    names = ["trace_id", "user_id", "correlation_id", "causation_id", "issued_at", "expected_version"]
    data = {"user_id": options.user, "username": options.user}
    command = {
        "id": options.id,
        "metadata": dict.fromkeys(names),
        "data": (f"{NAMESPACE}.RegisterUser", data),
    }
    value = encode(command, SerializationContext(topic, MessageField.VALUE))
    producer = Producer({"bootstrap.servers": options.kafka, "partitioner": "murmur2_random"})
    producer.produce(topic, key=options.user, value=value)
    producer.flush(60)


if __name__ == "__main__":
    main()
