"""A client of the gateway, with nothing but Python's library."""

from __future__ import annotations

import base64
import http.client
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from .bad import MillraceError
from .domains.envelope import Outcome
from .json_ import JsonSource
from .kinds import CommandData, Row
from .messages import Command, command_to_json, outcome_from_json

W = TypeVar("W", bound=Row)

_WAIT_S = 10
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_SILENCE_S = 40.0
"""A stream that is silent for so long is dead: a sign of life comes every 15 s."""
_TYPE = "urn:millrace:problem:"


class Problem(MillraceError):
    """What a gateway answered instead of what was asked for, or that none answered (`status` 0)."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(str(document.get("detail") or document.get("title") or status))
        self.status = status
        self.document = document
        """The problem document (RFC 9457)."""

    @property
    def kind(self) -> str:
        """The last part of its type, such as `unauthenticated`."""
        return str(self.document.get("type", "")).removeprefix(_TYPE)

    @property
    def is_passing(self) -> bool:
        """Whether the same may be asked again, as nothing was said of it."""
        return self.status in (0, 429) or self.status >= 500 or self.kind in ("too-slow", "no-outcome")


@dataclass(frozen=True)
class Answer:
    """What became of a command, and what a reader must see to see it: for `after` of a query."""

    outcome: Outcome
    position: str

    @property
    def is_accepted(self) -> bool:
        """Whether every rule held."""
        return self.outcome.status.value == "accepted"


@dataclass(frozen=True)
class Page(Generic[W]):
    """A page of rows, and where it goes on, if it does."""

    rows: list[W]
    cursor: str | None


class HttpClient:
    """Commands, rows, and rows as they change, over HTTP. It may be used by several threads."""

    def __init__(self, base: str, token: Callable[[], str | None] | None = None, user_id: str | None = None) -> None:
        """A client of the gateway at `base`, such as `http://127.0.0.1:8080`.

        `token` says who asks, where the gateway wants one; `user_id` is who acts, where it believes everybody.
        """
        self._base = base.rstrip("/")
        self._token = token or (lambda: None)
        self._user_id = user_id

    def send(self, command: Command[Any] | CommandData, patience: float = 60.0) -> Answer:
        """Sends a command, again and again until it is known what became of it: accepted or rejected.

        Raises `Problem` where it is none of both: a mistake, or nobody answered for `patience` seconds. Send the very same command
        then: make a `Command` beforehand, whose id is its name.
        """
        if isinstance(command, CommandData):
            command = Command(data=command)
        if self._user_id is not None and command.metadata.user_id is None:
            command = replace(command, metadata=replace(command.metadata, user_id=self._user_id))
        body = json.dumps(command_to_json(command)).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": command.id, "Prefer": f"wait={_WAIT_S}"}
        path = f"/v1/commands/{command.domain}/{command.type}"
        until = time.monotonic() + patience
        try:
            status, got, document = self._persistently(until, lambda: self._ask(path, headers, body))
            if status == 202:
                location = got.get("Location", "")
                path = f"{location}{'&' if '?' in location else '?'}timeout={_WAIT_S}"
                status, got, document = self._persistently(until, lambda: self._ask(path, {}))
        except Problem as problem:
            if problem.kind != "rejected":
                raise
            return Answer(outcome_from_json({**problem.document, "status": "rejected"}), "")
        return Answer(outcome_from_json(document), got.get("Millrace-Position", ""))

    def query(
        self,
        view: type[W],
        key: Mapping[str, str] | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        after: str = "",
    ) -> Page[W]:
        """A page of rows of a view, by its partition key and any number of the columns behind it."""
        parameters = dict(key or {}) | ({"limit": str(limit)} if limit else {}) | ({"cursor": cursor} if cursor else {})
        headers = {"Prefer": f"wait={_WAIT_S}"} | ({"Millrace-After": after} if after else {})
        path = f"/v1/views/{view.DOMAIN}/{view.VIEW}?{urllib.parse.urlencode(parameters)}"
        _, _, document = self._ask(path, headers)
        return Page([_row(view, row) for row in document["rows"]], document.get("cursor"))

    def subscribe(self, view: type[W], key: Mapping[str, str], *, limit: int | None = None) -> Iterator[list[W]]:
        """The rows of a key of a view whenever they have changed: all, or the first so many and what comes in front.

        It goes on where it was over as many connections as it takes, until it is closed. Raises `Problem` when the gateway refuses.
        """
        parameters = dict(key) | ({"limit": str(limit)} if limit else {})
        path = f"/v1/streams/{view.DOMAIN}/{view.VIEW}?{urllib.parse.urlencode(parameters)}"
        rows: dict[tuple[Any, ...], W] = {}
        told, pause = "", _FIRST_PAUSE_S
        names = view.PARTITION + tuple(name.removeprefix("-") for name in view.CLUSTERING)
        while True:
            begins, is_live = True, False
            try:
                for event, data, event_id in self._events(path, told):
                    if event == "snapshot":
                        if begins:
                            rows.clear()
                        begins = not data.get("more")
                        rows |= {tuple(str(row[name]) for name in names): _row(view, row) for row in data["rows"]}
                    elif event == "change":
                        name = tuple(str(data["key"][name]) for name in names)
                        if data["row"] is None:
                            rows.pop(name, None)
                        else:
                            rows[name] = _row(view, data["row"])
                    elif event == "reset":
                        begins, is_live, told = True, False, ""
                    elif event == "live":
                        is_live = True
                    elif event == "error":
                        raise Problem(int(data.get("status", 500)), data)
                    if event_id is not None:
                        told, pause = event_id, _FIRST_PAUSE_S
                    if is_live and event in ("live", "change"):
                        yield _sorted(view, rows)
            except Problem as problem:
                if not problem.is_passing:
                    raise
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def keys(self) -> list[bytes]:
        """The public keys for which secrets of commands are sealed, newest first. None: then no secret can be sent."""
        try:
            _, _, document = self._ask("/v1/keys", {})
        except Problem as problem:
            if problem.status == 404:
                return []
            raise
        return [base64.b64decode(key["public_key"]) for key in document["keys"]]

    def _events(self, path: str, last_id: str) -> Iterator[tuple[str, Any, str | None]]:
        """The events of one connection: name, data, id."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        with self._open(path, headers, None, _SILENCE_S) as lines:
            fields: dict[str, str] = {}
            for line in lines:
                text = line.decode().rstrip("\r\n")
                if text:
                    name, _, value = text.partition(":")
                    fields[name] = value.removeprefix(" ")
                elif fields:
                    yield fields.get("event", ""), json.loads(fields.get("data", "null")), fields.get("id")
                    fields = {}

    def _ask(self, path: str, headers: Mapping[str, str], body: bytes | None = None) -> tuple[int, Any, Any]:
        """Asks once: status, headers and document. Raises `Problem` where the answer is one, or there is none."""
        try:
            with self._open(path, {"Accept": "application/json", **headers}, body, _WAIT_S + 50.0) as answer:
                return answer.status, answer.headers, json.load(answer)
        except Problem:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Problem(0, {"title": f"{self._base} cannot be reached: {error}"}) from error

    def _open(
        self, path: str, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> http.client.HTTPResponse:
        request = urllib.request.Request(self._base + path, data=body, headers=dict(headers))
        token = self._token()
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            return cast(http.client.HTTPResponse, urllib.request.urlopen(request, timeout=timeout))
        except urllib.error.HTTPError as error:
            with error:
                try:
                    document = json.load(error)
                except ValueError:
                    # whoever stands in front of the gateway has said it in its own way
                    document = {}
            raise Problem(error.code, document if isinstance(document, dict) else {}) from None

    def _persistently(self, until: float, ask: Callable[[], tuple[int, Any, Any]]) -> tuple[int, Any, Any]:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return ask()
            except Problem as problem:
                if not problem.is_passing or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)


def _row(view: type[W], row: Any) -> W:
    return view.read(JsonSource(row))  # type: ignore[return-value]  # a class reads itself


def _sorted(view: type[W], rows: Mapping[tuple[Any, ...], W]) -> list[W]:
    """Rows in the order of the view."""
    found = list(rows.values())
    # the last column first, as each sort keeps the order of the ones behind
    for signed in reversed(view.CLUSTERING):
        name = signed.removeprefix("-")
        found.sort(key=lambda row: getattr(row, name), reverse=name != signed)
    return found
