"""Ids of messages."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid

# `millrace-events1`
_NAMESPACE = b"millrace-events1"
_RULE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def is_id(text: str) -> bool:
    """Whether a text is an id: 1 to 64 characters of A-Z a-z 0-9 _ . : -."""
    return _RULE.fullmatch(text) is not None


def new_id(now_ms: int | None = None) -> str:
    """A new UUIDv7: it says when it was made, by which domains that never do a thing twice know how old a command is."""
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return _uuid(ms.to_bytes(6, "big") + os.urandom(10), 7)


def event_id(message_id: str, index: int) -> str:
    """The id of the `index`-th event that a command or step of this id has caused."""
    return _derived(f"{message_id}/event/{index}")


def step_id(process: str, step: str) -> str:
    """The id of a step of a process, which is called like the command that began it."""
    return _derived(f"{process}/step/{step}")


def _derived(name: str) -> str:
    return _uuid(hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16], 5)


def _uuid(random: bytes, version: int) -> str:
    number = int.from_bytes(random, "big") & ~(0xF << 76) & ~(0x3 << 62) | version << 76 | 0x2 << 62
    return str(uuid.UUID(int=number))
