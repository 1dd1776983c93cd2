"""Drives a registry with confluent-kafka's client. usage: client.py URL"""

import sys

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext


def record(*fields):
    listed = ",".join('{"name":"%s","type":"int","default":0}' % field for field in fields)
    return '{"type":"record","name":"R","fields":[%s]}' % listed


def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except SchemaRegistryError as error:
        assert error.error_code == code, error
    else:
        raise AssertionError(f"expected {code}")


client = SchemaRegistryClient({"url": sys.argv[1]})
first = client.register_schema("t-value", Schema(record("a"), "AVRO"))
second = client.register_schema("t-value", Schema(record("a", "b"), "AVRO"))
assert client.register_schema("u-value", Schema(record("a"), "AVRO")) == first != second
assert client.get_schema(first).schema_str == record("a")
assert client.get_subjects() == ["t-value", "u-value"]
assert client.get_versions("t-value") == [1, 2]
latest = client.get_latest_version("t-value")
assert (latest.schema_id, latest.version, latest.subject) == (second, 2, "t-value")
assert client.get_version("t-value", 1).schema_id == first
assert client.lookup_schema("t-value", Schema(record("a"), "AVRO")).version == 1
assert [v.subject for v in client.get_schema_versions(first)] == ["t-value", "u-value"]
assert client.get_schema_types() == ["AVRO"]

assert client.get_compatibility() == "BACKWARD"
client.set_compatibility("t-value", "FULL_TRANSITIVE")
assert client.get_compatibility("t-value") == "FULL_TRANSITIVE"
assert client.test_compatibility("t-value", Schema(record("a", "c"), "AVRO"))
assert not client.test_compatibility("t-value", Schema('"int"', "AVRO"))
refused(409, client.register_schema, "t-value", Schema('"int"', "AVRO"))
refused(42201, client.register_schema, "t-value", Schema("nonsense", "AVRO"))
refused(40401, client.get_latest_version, "none")
refused(40402, client.get_version, "t-value", 9)
refused(40403, client.get_schema, 99)
refused(40408, client.get_compatibility, "u-value")

context = SerializationContext("t", MessageField.VALUE)
serializer = AvroSerializer(client, record("a", "b"), conf={"auto.register.schemas": False})
payload = serializer({"a": 1, "b": 2}, context)
assert payload[:5] == b"\0" + second.to_bytes(4, "big")
assert AvroDeserializer(client)(payload, context) == {"a": 1, "b": 2}
registering = AvroSerializer(client, record("x"))
assert AvroDeserializer(client)(registering({"x": 5}, SerializationContext("v", MessageField.VALUE)), context)["x"] == 5

assert client.delete_version("t-value", 1) == 1
assert client.delete_subject("u-value") == [1]
assert client.delete_subject("u-value", permanent=True) == [1]
assert client.get_subjects() == ["t-value", "v-value"]
