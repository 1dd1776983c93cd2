"""The registry's frame: a zero byte, the schema's id, the body."""

from __future__ import annotations

import struct

from .bad import BadMessage

_HEADER = struct.Struct(">bI")


def frame(schema_id: int, body: bytes) -> bytes:
    """Avro in a frame."""
    return _HEADER.pack(0, schema_id) + body


def unframe(framed: bytes) -> tuple[int, bytes]:
    """Schema id and body of what is in a frame. Raises `BadMessage` where there is none."""
    if len(framed) < _HEADER.size or framed[0] != 0:
        raise BadMessage("", "no Avro in the registry's frame: it does not begin with a zero byte and a schema id")
    return _HEADER.unpack_from(framed)[1], framed[_HEADER.size :]
