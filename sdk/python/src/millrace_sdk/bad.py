"""What is wrong with messages."""

from __future__ import annotations


class MillraceError(Exception):
    """Everything that this package raises by itself."""


class BadMessage(MillraceError, ValueError):
    """What was read or is to be written is not what the schema says."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        """The field, such as `data.content`; empty: the message as a whole."""
        self.reason = reason
        """What is wrong with it."""


class UnknownSchema(MillraceError):
    """A message was written with a schema of which nothing is known yet: `Reading.learn` it."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(f"schema {schema_id} is not known yet")
        self.schema_id = schema_id


def dotted(around: list[str], name: str) -> str:
    """A name within the names around it."""
    return ".".join(part for part in [*around, name] if part)
