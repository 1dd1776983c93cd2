"""Avro (1.12, "Binary Encoding"), written and read field by field.

What is read is not trusted: lengths and counts are held against the bytes that are left, so no input takes more memory than a
multiple of itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NoReturn

from .bad import BadMessage, dotted
from .kinds import R, Record, S, T

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_Int = int


class Output:
    """Writes Avro. A value that its type does not have raises `BadMessage`, which names the field."""

    __slots__ = ("_around", "_out")

    def __init__(self) -> None:
        self._out = bytearray()
        self._around: list[str] = []

    def getvalue(self) -> bytes:
        """What was written so far."""
        return bytes(self._out)

    def raw(self, value: bytes) -> None:
        """Writes bytes as they stand."""
        self._out += value

    def count(self, value: _Int) -> None:
        """Writes the number of a branch or symbol, a length or a count."""
        rest = value << 1
        while rest > 0x7F:
            self._out.append(rest & 0x7F | 0x80)
            rest >>= 7
        self._out.append(rest)

    def text(self, name: str, value: str) -> None:
        if type(value) is not str and not isinstance(value, str):
            self._bad(name, "expected a text")
        try:
            encoded = value.encode()
        except UnicodeEncodeError:
            self._bad(name, "a half of a surrogate pair stands alone, and is no text in UTF-8")
        self.count(len(encoded))
        self._out += encoded

    def long(self, name: str, value: _Int) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            self._bad(name, "expected a whole number")
        if not _LEAST <= value <= _MOST:
            self._bad(name, "a number of more than 64 bits")
        rest = value << 1 if value >= 0 else (~value << 1) | 1
        while rest > 0x7F:
            self._out.append(rest & 0x7F | 0x80)
            rest >>= 7
        self._out.append(rest)

    def int(self, name: str, value: _Int) -> None:
        if isinstance(value, int) and not -(1 << 31) <= value < 1 << 31:
            self._bad(name, "a number of more than 32 bits")
        self.long(name, value)

    def double(self, name: str, value: float) -> None:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self._bad(name, "expected a number")
        self._out += struct.pack("<d", value)

    def boolean(self, name: str, value: bool) -> None:
        if not isinstance(value, bool):
            self._bad(name, "expected true or false")
        self._out.append(value)

    def sealed(self, name: str, value: bytes) -> None:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            self._bad(name, "expected bytes")
        self.count(len(value))
        self._out += value

    def digest(self, name: str, value: bytes) -> None:
        self.sealed(name, value)

    def none(self, name: str) -> None:
        self._out.append(0)

    def some(self, name: str) -> None:
        self._out.append(2)

    def items(self, name: str, items: Sequence[T], write: Callable[[T], None]) -> None:
        if isinstance(items, (str, bytes)) or not isinstance(items, Sequence):
            self._bad(name, "expected a list")
        if items:
            self.count(len(items))
            for at, item in enumerate(items):
                self._around += (name, str(at))
                write(item)
                del self._around[-2:]
        self._out.append(0)

    def record(self, name: str, value: Record) -> None:
        if not isinstance(value, Record):
            self._bad(name, "expected a record")
        self._around.append(name)
        value.write(self)
        self._around.pop()

    def symbol(self, name: str, value: Enum) -> None:
        if not isinstance(value, Enum):
            self._bad(name, "expected one of its symbols")
        self.count(list(type(value)).index(value))

    def _bad(self, name: str, reason: str) -> NoReturn:
        raise BadMessage(dotted(self._around, name), reason)


class Input:
    """Reads Avro. What is no such value raises `BadMessage`, which names the field."""

    __slots__ = ("_around", "_at", "_bytes", "_end")

    def __init__(self, value: bytes) -> None:
        self._bytes = value
        self._end = len(value)
        self._at = 0
        self._around: list[str] = []

    @property
    def left(self) -> _Int:
        """How many bytes are left."""
        return self._end - self._at

    @property
    def place(self) -> _Int:
        """Where it is, in bytes from the front."""
        return self._at

    def since(self, place: _Int) -> bytes:
        """The bytes from a place to where it is."""
        return self._bytes[place : self._at]

    def end(self) -> None:
        """Refuses what is left over."""
        if self.left > 0:
            self.bad("", f"{self.left} bytes are left over behind the message")

    def bad(self, name: str, reason: str) -> NoReturn:
        """Refuses what stands here."""
        raise BadMessage(dotted(self._around, name), f"{reason}, at byte {self._at}")

    def enter(self, name: str) -> None:
        """Names what is read from here on."""
        self._around.append(name)

    def leave(self) -> None:
        """Ends what `enter` began."""
        self._around.pop()

    def skip(self, name: str, count: _Int) -> bytes:
        """Takes so many bytes."""
        start = self._at
        end = start + count
        if end > self._end:
            self.bad(name, "it is cut off")
        self._at = end
        return self._bytes[start:end]

    def index(self, name: str, count: _Int) -> _Int:
        """The number of a branch or symbol."""
        index = self.long(name)
        if not 0 <= index < count:
            self.bad(name, f"there is no branch or symbol of that number, only {count} of them")
        return index

    def length(self, name: str) -> _Int:
        """The length of what follows."""
        length = self.long(name)
        if length < 0:
            self.bad(name, "a negative length")
        return length

    def text(self, name: str) -> str:
        length = self.length(name)
        start = self._at
        try:
            return str(self.skip(name, length), "utf-8")
        except UnicodeDecodeError:
            self._at = start
            self.bad(name, "a text that is not UTF-8")

    def long(self, name: str) -> _Int:
        at, end, data = self._at, self._end, self._bytes
        if at >= end:
            self.bad(name, "it is cut off")
        byte = data[at]
        number = byte & 0x7F
        shift = 7
        while byte & 0x80:
            at += 1
            if at >= end:
                self.bad(name, "it is cut off")
            byte = data[at]
            # the tenth byte has room for one bit
            if shift == 63 and byte > 1:
                self.bad(name, "a number of more than 64 bits")
            number |= (byte & 0x7F) << shift
            shift += 7
        self._at = at + 1
        return (number >> 1) ^ -(number & 1)

    def int(self, name: str) -> _Int:
        number = self.long(name)
        if not -(1 << 31) <= number < 1 << 31:
            self.bad(name, "an int of more than 32 bits")
        return number

    def double(self, name: str) -> float:
        value: float = struct.unpack("<d", self.skip(name, 8))[0]
        return value

    def boolean(self, name: str) -> bool:
        byte = self.skip(name, 1)[0]
        if byte > 1:
            self.bad(name, "a boolean that is neither 0 nor 1")
        return byte == 1

    def sealed(self, name: str) -> bytes:
        return bytes(self.skip(name, self.length(name)))

    def digest(self, name: str) -> bytes:
        return self.sealed(name)

    def is_some(self, name: str) -> bool:
        return self.index(name, 2) == 1

    def each(self, name: str, read: Callable[[], object]) -> None:
        """Calls `read` for every item of a list."""
        # every item takes a byte at least, in however many blocks they come
        most = self.left
        at = 0
        while True:
            count = self.long(name)
            if count < 0:
                # others may say how many bytes the block takes
                self.length(name)
                count = -count
            if count == 0:
                return
            if count > min(most, self.left):
                self.bad(name, "a list that is longer than the message")
            most -= count
            self._around += (name, "")
            for _ in range(count):
                self._around[-1] = str(at)
                read()
                at += 1
            del self._around[-2:]

    def items(self, name: str, read: Callable[[], T]) -> tuple[T, ...]:
        items: list[T] = []
        self.each(name, lambda: items.append(read()))
        return tuple(items)

    def record(self, name: str, kind: type[R]) -> R:
        self._around.append(name)
        value = kind.read(self)
        self._around.pop()
        return value  # type: ignore[return-value]  # a class reads itself

    def symbol(self, name: str, kind: type[S]) -> S:
        symbols = list(kind)
        return symbols[self.index(name, len(symbols))]
