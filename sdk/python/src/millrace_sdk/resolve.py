"""What was written with one version of a schema, as another one would have written it: Avro's rules of resolution."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

from .avro import Input, Output

_PRIMITIVES = frozenset(["null", "boolean", "int", "long", "float", "double", "string", "bytes"])
_DEEPEST = 64
_NOTHING: Any = object()


@dataclass(eq=False)
class Node:
    """A schema of somebody else, as a tree whose names are resolved."""

    type: str
    name: str = ""
    of: Node | None = None
    branches: list[Node] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    fields: list[tuple[str, Node, Any]] = field(default_factory=list)
    size: int = 0
    default: Any = _NOTHING

    @property
    def bare(self) -> str:
        """The name without the namespace."""
        return self.name.rpartition(".")[2]


def parse_schema(text: str) -> Node:
    """Reads a schema. Raises `ValueError` that says what is wrong with it."""
    named: dict[str, Node] = {}

    def read(schema: Any, namespace: str, depth: int) -> Node:
        if depth > _DEEPEST:
            raise ValueError(f"the schema is nested deeper than {_DEEPEST} levels")
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return Node(schema)
            full = schema if "." in schema or not namespace else f"{namespace}.{schema}"
            found = named.get(full) or named.get(schema)
            if found is None:
                raise ValueError(f"the schema does not define {schema}")
            return found
        if isinstance(schema, list):
            return Node("union", branches=[read(branch, namespace, depth + 1) for branch in schema])
        if not isinstance(schema, dict):
            raise ValueError(f"{schema!r} is no schema")
        kind = schema.get("type")
        if kind == "array":
            return Node("array", of=read(schema["items"], namespace, depth + 1))
        if kind == "map":
            return Node("map", of=read(schema["values"], namespace, depth + 1))
        if kind not in ("record", "error", "enum", "fixed"):
            return read(kind, namespace, depth + 1)
        own = str(schema["name"])
        space = own.rpartition(".")[0] if "." in own else str(schema.get("namespace") or namespace)
        name = own if "." in own or not space else f"{space}.{own}"
        if kind == "fixed":
            node = Node("fixed", name, size=int(schema["size"]))
        elif kind == "enum":
            node = Node("enum", name, symbols=list(schema["symbols"]), default=schema.get("default", _NOTHING))
        else:
            node = Node("record", name)
        named[name] = node
        for one in schema.get("fields", []):
            node.fields.append((one["name"], read(one["type"], space, depth + 1), one.get("default", _NOTHING)))
        return node

    try:
        return read(json.loads(text), "", 0)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"the schema is none: {error!r}") from error


class Resolution:
    """Turns what was written with one version of a schema into what another one would have written."""

    def __init__(self, writer: str, reader: str) -> None:
        """Raises `ValueError` where a schema is none."""
        self._writer = parse_schema(writer)
        self._reader = parse_schema(reader)

    def resolve(self, body: bytes) -> tuple[bytes, str | None]:
        """The bytes, and the name of the message's type where the reader does not have it, of which nothing is in the bytes then.

        Raises `BadMessage` where the bytes are no such message, or can be none of this version.
        """
        walk = _Walk(Input(body), 64 * len(body) + 1024)
        out = Output()
        walk.value(out, self._writer, self._reader, "", 0)
        walk.input.end()
        return out.getvalue(), walk.unknown


class _Walk:
    def __init__(self, source: Input, left: int) -> None:
        self.input = source
        self.left = left
        """How many more values there may be: those that take no byte could be without end."""
        self.unknown: str | None = None

    def _count(self, name: str, depth: int) -> None:
        if depth > _DEEPEST:
            self.input.bad(name, f"values are nested deeper than {_DEEPEST} levels")
        self.left -= 1
        if self.left < 0:
            self.input.bad(name, "it holds more values than its length allows")

    def value(self, out: Output, old: Node, new: Node, name: str, depth: int) -> None:
        self._count(name, depth)
        source = self.input
        if old.type == "union":
            branch = old.branches[source.index(name, len(old.branches))]
            if name == "data" and depth == 1 and new.type == "union" and branch.type == "record":
                # the messages of a topic: here a newer one may have come
                if not any(_matches(branch, own) for own in new.branches):
                    self.unknown = branch.bare
                    self.skip(branch, name, depth + 1)
                    out.count(len(new.branches))
                    return
            self.value(out, branch, new, name, depth + 1)
        elif new.type == "union":
            fits = [at for at, own in enumerate(new.branches) if _matches(old, own)]
            fits += [at for at, own in enumerate(new.branches) if _promotes(old, own)]
            if not fits:
                source.bad(name, f"the writer's {old.type} is none of what this version has here")
            out.count(fits[0])
            self.value(out, old, new.branches[fits[0]], name, depth + 1)
        elif old.type == new.type == "record":
            self._record(out, old, new, name, depth)
        elif old.type == new.type and old.type in ("array", "map"):
            self._items(out, old, new, name, depth)
        elif old.type == new.type == "enum":
            symbol = old.symbols[source.index(name, len(old.symbols))]
            symbol = symbol if symbol in new.symbols else new.default
            if symbol not in new.symbols:
                source.bad(name, f"a symbol that is none of {', '.join(new.symbols)}")
            out.count(new.symbols.index(symbol))
        elif old.type == new.type == "fixed" and old.size == new.size:
            out.raw(source.skip(name, old.size))
        elif old.type == new.type or (old.type == "int" and new.type == "long"):
            # an int is written like a long
            place = source.place
            self.skip(old, name, depth)
            out.raw(source.since(place))
        elif not _promotes(old, new):
            source.bad(name, f"the writer's {old.type} is no {new.type}")
        elif new.type == "double":
            number = struct.unpack("<f", source.skip(name, 4))[0] if old.type == "float" else source.long(name)
            out.double(name, float(number))
        elif new.type == "string":
            out.text(name, source.text(name))
        else:
            out.sealed(name, source.sealed(name))

    def _record(self, out: Output, old: Node, new: Node, name: str, depth: int) -> None:
        own = {field_name: kind for field_name, kind, _ in new.fields}
        read: dict[str, bytes] = {}
        if name:
            self.input.enter(name)
        for field_name, kind, _ in old.fields:
            if field_name not in own:
                self.skip(kind, field_name, depth + 1)
                continue
            value = Output()
            self.value(value, kind, own[field_name], field_name, depth + 1)
            read[field_name] = value.getvalue()
        if name:
            self.input.leave()
        for field_name, kind, default in new.fields:
            if field_name in read:
                out.raw(read[field_name])
            elif default is not _NOTHING:
                _write_default(out, kind, default)
            else:
                self.input.bad(name, f"the writer has no field {field_name}, and there is no value to take instead")

    def _items(self, out: Output, old: Node, new: Node, name: str, depth: int) -> None:
        assert old.of is not None and new.of is not None
        one, other = old.of, new.of
        items = Output()
        count = 0

        def read() -> None:
            nonlocal count
            count += 1
            if old.type == "map":
                items.text("", self.input.text(""))
            self.value(items, one, other, "", depth + 1)

        self.input.each(name, read)
        if count:
            out.count(count)
            out.raw(items.getvalue())
        out.count(0)

    def skip(self, of: Node, name: str, depth: int) -> None:
        """Passes over a value."""
        self._count(name, depth)
        source = self.input
        if of.type == "record":
            for field_name, kind, _ in of.fields:
                self.skip(kind, field_name, depth + 1)
        elif of.type == "union":
            self.skip(of.branches[source.index(name, len(of.branches))], name, depth + 1)
        elif of.type in ("array", "map"):
            inner = of.of
            assert inner is not None

            def item() -> None:
                if of.type == "map":
                    source.text("")
                self.skip(inner, "", depth + 1)

            source.each(name, item)
        elif of.type == "string":
            source.text(name)
        elif of.type == "bytes":
            source.skip(name, source.length(name))
        elif of.type == "long":
            source.long(name)
        elif of.type == "int":
            source.int(name)
        elif of.type == "boolean":
            source.boolean(name)
        elif of.type == "enum":
            source.index(name, len(of.symbols))
        elif of.type != "null":
            source.skip(name, {"float": 4, "double": 8}.get(of.type, of.size))


def _matches(old: Node, new: Node) -> bool:
    """Whether the one is read as the other by its type, and of records by its name without the namespace."""
    return old.type == new.type and old.bare == new.bare


def _promotes(old: Node, new: Node) -> bool:
    return (old.type, new.type) in {
        ("int", "long"),
        ("int", "double"),
        ("long", "double"),
        ("float", "double"),
        ("bytes", "string"),
        ("string", "bytes"),
    }


def _write_default(out: Output, of: Node, value: Any) -> None:
    """The value of a field that the writer did not have."""
    if of.type == "null":
        return
    if of.type == "union":
        # a default is of the first branch
        out.count(0)
        _write_default(out, of.branches[0], value)
    elif of.type in ("int", "long"):
        out.long("", value)
    elif of.type == "boolean":
        out.boolean("", value)
    elif of.type == "double":
        out.double("", value)
    elif of.type == "string":
        out.text("", value)
    elif of.type == "enum":
        out.count(of.symbols.index(value))
    elif of.type == "array" and not value:
        out.count(0)
    elif of.type == "record":
        for name, kind, default in of.fields:
            _write_default(out, kind, value.get(name, default))
    else:
        raise ValueError(f"a default of type {of.type} is not supported")
