"""A schema registry with Confluent's REST API, with nothing but Python's library."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from .bad import BadMessage, MillraceError, UnknownSchema
from .kinds import CommandTopic, EventTopic, OutcomeTopic
from .reading import Reading

_TYPE = "application/vnd.schemaregistry.v1+json"


class Registry:
    """Asks for schemas and their ids. Nothing is registered."""

    def __init__(self, base: str, headers: Mapping[str, str] | None = None) -> None:
        """`headers` are sent with every request, such as `Authorization`."""
        self._base = base.rstrip("/")
        self._headers = dict(headers or {}) | {"Accept": _TYPE, "Content-Type": _TYPE}

    def id_of(self, subject: str, topic: CommandTopic | EventTopic | OutcomeTopic) -> int:
        """The id under which a topic's schema is registered."""
        body = json.dumps({"schemaType": "AVRO", "schema": topic.schema}).encode()
        found = self._ask(f"/subjects/{urllib.parse.quote(subject, safe='')}", body)
        if found is None:
            raise MillraceError(
                f"registry {self._base}: the schema of {topic.name} that this package was made with is not registered under "
                f"{subject}; the deployment is older, or of another kind: take the package of its version"
            )
        return int(found["id"])

    def schema(self, schema_id: int) -> str | None:
        """The schema of an id, if there is one."""
        found = self._ask(f"/schemas/ids/{schema_id}?deleted=true", None)
        return None if found is None else str(found["schema"])

    def read(self, reading: Reading, framed: bytes) -> Any:
        """The message in a frame, whose schema is asked for if it is not known."""
        try:
            return reading.read(framed)
        except UnknownSchema as unknown:
            schema = self.schema(unknown.schema_id)
            if schema is None:
                raise BadMessage("", f"the registry has no schema {unknown.schema_id}") from None
            reading.learn(unknown.schema_id, schema)
            return reading.read(framed)

    def _ask(self, path: str, body: bytes | None) -> Any:
        request = urllib.request.Request(self._base + path, data=body, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise MillraceError(f"registry {self._base}: {error.code} {error.read(500)!r}") from None
