"""Feeds: the oracle, and what `millrace feed` shows."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model import Model
from views import Times

Entry = dict[str, Any]
SHOWN = ["chirp_id", "author_id", "username", "content", "posted_at", "edited_at"]


def oracle(model: Model, times: Times, reader: str) -> list[Entry]:
    """All undeleted chirps of the authors this reader follows now, newest first."""
    chirps = [
        (times.posted[key], key[1], key[0], chirp)
        for key, chirp in model.chirps.items()
        if not chirp.deleted and key[0] in model.following[reader]
    ]
    chirps.sort(key=lambda entry: entry[:3], reverse=True)
    return [
        {
            "chirp_id": chirp_id,
            "author_id": author,
            "username": model.users[author],
            "content": chirp.content,
            "posted_at": posted,
            "edited_at": times.edited[author, chirp_id] if chirp.edited else None,
        }
        for posted, chirp_id, author, chirp in chirps
    ]


def micros(text: str | None) -> int | None:
    """RFC 3339 with microseconds, as a number."""
    if text is None:
        return None
    at = datetime.fromisoformat(text.replace("Z", "+00:00")) - datetime(1970, 1, 1, tzinfo=UTC)
    return (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds


@dataclass(frozen=True)
class Cli:
    """The binary and the flags that lead it to the system under test."""

    binary: str
    flags: list[str]

    def feed(self, reader: str, limit: int, cursor: str | None = None) -> list[Entry]:
        """One page of a feed, with times as numbers and the cursor of each entry."""
        paging = ["--limit", str(limit)] + (["--cursor", cursor] if cursor else [])
        done = subprocess.run(
            [self.binary, "feed", reader, "--json", *paging, *self.flags],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            raise RuntimeError(f"millrace feed {reader}: exit {done.returncode}: {done.stderr.strip()}")
        entries = [json.loads(line) for line in done.stdout.splitlines()]
        for entry in entries:
            entry["posted_at"] = micros(entry["posted_at"])
            entry["edited_at"] = micros(entry.get("edited_at"))
        return entries

    def paged(self, reader: str, size: int, most: int) -> list[Entry]:
        """The feed read page by page, each going on after the last entry of the one before."""
        entries: list[Entry] = []
        while len(entries) < most:
            page = self.feed(reader, size, entries[-1]["cursor"] if entries else None)
            entries += page
            if len(page) < size:
                break
        return entries[:most]


def shown(entries: list[Entry]) -> list[Entry]:
    """Entries without their cursors, which are the system's own."""
    return [{name: entry[name] for name in SHOWN} for entry in entries]


def differences(reader: str, is_: list[Entry], must_be: list[Entry]) -> list[str]:
    """The first place where two feeds part, and what is missing or too much."""
    if is_ == must_be:
        return []
    have, want = ([(e["author_id"], e["chirp_id"]) for e in feed] for feed in (is_, must_be))
    place = next((n for n, (a, b) in enumerate(zip(is_, must_be)) if a != b), min(len(is_), len(must_be)))
    lines = [f"feed of {reader}: {len(is_)} entries, must be {len(must_be)}; first difference at {place}:"]
    lines.append(f"    is      {is_[place] if place < len(is_) else 'the end'}")
    lines.append(f"    must be {must_be[place] if place < len(must_be) else 'the end'}")
    lines.append(
        f"    missing {[k for k in want if k not in have][:5]}, too many {[k for k in have if k not in want][:5]}"
    )
    if len(set(have)) != len(have):
        lines.append("    some chirps appear twice")
    return ["\n".join(lines)]


def sample(model: Model, cap: int, count: int) -> list[str]:
    """Readers of all kinds: few and many followings, feeds below and beyond the cap, nobody followed."""
    by_size = sorted(model.users, key=lambda user: (len(model.following[user]), user))
    step = max(1, len(by_size) // max(1, count - 12))
    chosen = [*by_size[:2], *by_size[::step], *by_size[-10:]]
    return list(dict.fromkeys(chosen))
