"""JSON as the gateway has it: the names of the schemas, longs as numbers or as texts of digits."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NoReturn

from .bad import BadMessage, dotted
from .kinds import R, Record, S, T

_Int = int


def record_to_json(value: Record) -> dict[str, Any]:
    """A record as the gateway's JSON has it, for `json.dumps`."""
    sink = JsonSink()
    value.write(sink)
    return sink.whole


class JsonSink:
    """Writes what `json.dumps` takes."""

    def __init__(self) -> None:
        self.whole: dict[str, Any] = {}
        self._items: list[Any] | None = None

    def _put(self, name: str, value: Any) -> None:
        if self._items is None:
            self.whole[name] = value
        else:
            self._items.append(value)

    def text(self, name: str, value: str) -> None:
        self._put(name, value)

    def long(self, name: str, value: _Int) -> None:
        self._put(name, value)

    def int(self, name: str, value: _Int) -> None:
        self._put(name, value)

    def double(self, name: str, value: float) -> None:
        self._put(name, value)

    def boolean(self, name: str, value: bool) -> None:
        self._put(name, value)

    def sealed(self, name: str, value: bytes) -> None:
        self._put(name, base64.b64encode(value).decode())

    def digest(self, name: str, value: bytes) -> None:
        self._put(name, value.hex())

    def none(self, name: str) -> None:
        self._put(name, None)

    def some(self, name: str) -> None:
        pass

    def items(self, name: str, items: Sequence[T], write: Callable[[T], None]) -> None:
        around, self._items = self._items, []
        for item in items:
            write(item)
        own, self._items = self._items, around
        self._put(name, own)

    def record(self, name: str, value: Record) -> None:
        self._put(name, record_to_json(value))

    def symbol(self, name: str, value: Enum) -> None:
        self._put(name, value.value)


class JsonSource:
    """Reads what `json.loads` has made. What is no such value raises `BadMessage`, which names the field."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self._around: list[str] = []

    def _of(self, name: str) -> Any:
        """What stands under a name; '' is the item of a list."""
        if name == "":
            return self._value
        if not isinstance(self._value, dict):
            self._bad("", "expected an object")
        return self._value.get(name)

    def _bad(self, name: str, reason: str) -> NoReturn:
        raise BadMessage(dotted(self._around, name), reason)

    def text(self, name: str) -> str:
        value = self._of(name)
        return value if isinstance(value, str) else self._bad(name, "expected a text")

    def long(self, name: str) -> _Int:
        value = self._of(name)
        if (
            isinstance(value, str)
            and value.lstrip("-").isascii()
            and value.removeprefix("-").isdigit()
            and len(value) <= 20
        ):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63:
            return value
        self._bad(name, "expected a whole number of 64 bits")

    def int(self, name: str) -> _Int:
        value = self.long(name)
        return value if -(1 << 31) <= value < 1 << 31 else self._bad(name, "expected a whole number of 32 bits")

    def double(self, name: str) -> float:
        value = self._of(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        self._bad(name, "expected a number")

    def boolean(self, name: str) -> bool:
        value = self._of(name)
        return value if isinstance(value, bool) else self._bad(name, "expected true or false")

    def sealed(self, name: str) -> bytes:
        try:
            return base64.b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError):
            self._bad(name, "expected base64")

    def digest(self, name: str) -> bytes:
        try:
            return bytes.fromhex(self.text(name))
        except ValueError:
            self._bad(name, "expected hexadecimal digits")

    def is_some(self, name: str) -> bool:
        return self._of(name) is not None

    def items(self, name: str, read: Callable[[], T]) -> tuple[T, ...]:
        value = self._of(name)
        if not isinstance(value, list):
            self._bad(name, "expected a list")
        outer, items = self._value, []
        for at, item in enumerate(value):
            self._value = item
            self._around += (name, str(at))
            items.append(read())
            del self._around[-2:]
        self._value = outer
        return tuple(items)

    def record(self, name: str, kind: type[R]) -> R:
        outer, self._value = self._value, self._of(name)
        self._around.append(name)
        value = kind.read(self)
        self._around.pop()
        self._value = outer
        return value  # type: ignore[return-value]  # a class reads itself

    def symbol(self, name: str, kind: type[S]) -> S:
        value = self.text(name)
        for symbol in kind:
            if symbol.value == value:
                return symbol
        self._bad(name, f"expected one of {', '.join(str(symbol.value) for symbol in kind)}")
