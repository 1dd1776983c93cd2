"""Chirp's views, as an analyst's own driver reads them and as the model says they must be.

A view is a dictionary from key to the rest of the row, so that two of them compare as values. Times come
from the events: only the system knows when it recorded something.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from model import Model

Row = tuple[Any, ...]
View = dict[Row, Row]

# Tables whose partitions are cut into buckets, with the rest of their partition key; a bucket is no business of the model's.
BUCKETED: dict[str, str] = {"chirps_by_author": "author_id", "followers_by_user": "followee_id"}

# The columns that identify a row, and those compared beside them. What only the implementation needs
# (`following_by_user.pulled_until`) is nobody else's business.
COLUMNS: dict[str, tuple[list[str], list[str]]] = {
    "user_profiles": (["user_id"], ["username", "registered_at"]),
    "users_by_username": (["username_key"], ["user_id", "username", "registered_at"]),
    "chirps": (["author_id", "chirp_id"], ["username", "content", "posted_at", "edited_at"]),
    "chirps_by_author": (["author_id", "posted_at", "chirp_id"], ["username", "content", "edited_at"]),
    "following_by_user": (["follower_id", "followee_id"], ["since"]),
    "followers_by_user": (["followee_id", "follower_id"], ["since"]),
    "follower_counts": (["followee_id"], ["followers"]),
    "following_counts": (["follower_id", "source_partition"], ["following"]),
}


@dataclass
class Times:
    """The recorded_at of the events that views and feeds show."""

    registered: dict[str, int] = field(default_factory=dict)
    posted: dict[tuple[str, str], int] = field(default_factory=dict)
    edited: dict[tuple[str, str], int] = field(default_factory=dict)
    followed: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, kind: str, data: dict[str, Any], recorded_at: int) -> None:
        """Remembers the time of an event."""
        match kind:
            case "UserRegistered":
                self.registered[data["user_id"]] = recorded_at
            case "ChirpPosted":
                self.posted[data["author_id"], data["chirp_id"]] = recorded_at
            case "ChirpEdited":
                self.edited[data["author_id"], data["chirp_id"]] = recorded_at
            case "UserFollowed":
                self.followed[data["follower_id"], data["followee_id"]] = recorded_at


class Tables(Protocol):
    """Anything that gives all rows of a table."""

    def rows(self, table: str, columns: list[str]) -> Iterable[Row]:
        """The columns of every row."""


class Sqlite:
    """The file that `millrace up` writes, read as any SQL tool does."""

    def __init__(self, directory: Path) -> None:
        self.file = sqlite3.connect(f"file:{directory / 'chirp.sqlite'}?mode=ro", uri=True, timeout=30)

    def rows(self, table: str, columns: list[str]) -> Iterable[Row]:
        """The columns of every row."""
        return self.file.execute(f"SELECT {', '.join(columns)} FROM {table}")


class Cql:
    """A keyspace, read by the driver of Cassandra's own project."""

    def __init__(self, address: str, keyspace: str) -> None:
        from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
        from cassandra.policies import RoundRobinPolicy
        from cassandra.query import tuple_factory

        host, port = address.rsplit(":", 1)
        profile = ExecutionProfile(RoundRobinPolicy(), request_timeout=60, row_factory=tuple_factory)
        profiles = {EXEC_PROFILE_DEFAULT: profile}
        self.cluster = Cluster([host], port=int(port), execution_profiles=profiles, connect_timeout=30)
        self.session = self.cluster.connect(keyspace)

    def rows(self, table: str, columns: list[str]) -> Iterable[Row]:
        """The columns of every row."""
        rows: Iterable[Row] = self.session.execute(f"SELECT {', '.join(columns)} FROM {table}")
        return rows


def read(tables: Tables) -> tuple[dict[str, View], list[str]]:
    """Every view as it stands, and what is wrong with it whatever its content."""
    found: dict[str, View] = {}
    wrong: list[str] = []
    for table, (key, rest) in COLUMNS.items():
        view: View = {}
        for row in tables.rows(table, key + rest):
            if row[: len(key)] in view:
                wrong.append(f"{table}: two rows with the key {row[: len(key)]}")
            view[tuple(row[: len(key)])] = tuple(row[len(key) :])
        found[table] = view
    for table, owner in BUCKETED.items():
        wrong += unlisted(tables, table, owner)
    found["following_counts"] = _summed(found["following_counts"])
    # No row and a row of nobody are the same answer.
    for table in ("follower_counts", "following_counts"):
        found[table] = {key: row for key, row in found[table].items() if row != (0,)}
    return found, wrong


def unlisted(tables: Tables, table: str, owner: str) -> list[str]:
    """Buckets that have rows and that the directory does not name, or that have too many."""
    rows: defaultdict[Row, int] = defaultdict(int)
    for row in tables.rows(table, [owner, "bucket"]):
        rows[tuple(row)] += 1
    named = {tuple(row) for row in tables.rows(f"{table}_buckets", [owner, "bucket"])}
    missing = [f"{table}: bucket {bucket} is not in its directory" for bucket in rows if bucket not in named]
    return missing + [f"{table}: bucket {bucket} has {n} rows" for bucket, n in rows.items() if n > 500]


def _summed(view: View) -> View:
    """A reader's followings lie in many partitions, one absolute number for each."""
    totals: defaultdict[Row, int] = defaultdict(int)
    for (reader, _partition), (count,) in view.items():
        totals[(reader,)] += count
    return {key: (total,) for key, total in totals.items()}


def expected(model: Model, times: Times) -> dict[str, View]:
    """Every view as the model has it."""
    alive = {key: chirp for key, chirp in model.chirps.items() if not chirp.deleted}
    views: dict[str, View] = {table: {} for table in COLUMNS}
    for user_id, username in model.users.items():
        at = times.registered[user_id]
        views["user_profiles"][(user_id,)] = (username, at)
        views["users_by_username"][(username.lower(),)] = (user_id, username, at)
    for (author, chirp_id), chirp in alive.items():
        posted = times.posted[author, chirp_id]
        edited = times.edited[author, chirp_id] if chirp.edited else None
        username = model.users[author]
        views["chirps"][author, chirp_id] = (username, chirp.content, posted, edited)
        views["chirps_by_author"][author, posted, chirp_id] = (username, chirp.content, edited)
    for followee, followers in model.followers.items():
        for follower in followers:
            since = times.followed[follower, followee]
            views["following_by_user"][follower, followee] = (since,)
            views["followers_by_user"][followee, follower] = (since,)
        if followers:
            views["follower_counts"][(followee,)] = (len(followers),)
    for follower, followees in model.following.items():
        if followees:
            views["following_counts"][(follower,)] = (len(followees),)
    return views


def differences(found: dict[str, View], wanted: dict[str, View]) -> list[str]:
    """What differs, row by row."""
    result = []
    for table, want in wanted.items():
        have = found[table]
        for key in sorted(want.keys() | have.keys(), key=repr):
            if have.get(key) != want.get(key):
                result.append(
                    f"{table} {key}: is {have.get(key, 'missing')}, must be {want.get(key, 'absent')}"
                )
    return result
