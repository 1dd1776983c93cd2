"""Restarts as figures: a row of the table each, and where they stand to what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

BARE = "bare librdkafka reads the topics, no state"
IN_MEMORY = "from the topics, kept in memory"
INTO_FOLDER = "from the topics, into an empty folder"
FROM_FOLDER = "with local state"
STANDBY = "by a standby copy"
STREAMS_ROCKS = "Kafka Streams, RocksDB, from its changelog"
STREAMS_MEMORY = "Kafka Streams, in memory, from its changelog"
STREAMS_KILLED = "Kafka Streams, RocksDB, with its folder after kill -9"
STREAMS_STOPPED = "Kafka Streams, RocksDB, with its folder after a clean end"

AIM_OVER_STREAMS = 10.0
AIM_LOCAL_SECONDS = 2.0


@dataclass
class Restart:
    """Figures of one restart, in seconds from its start; 0 where they are not known."""

    what: str
    how: str
    # the first command of any partition is decided, and the first of every partition
    first: float
    every: float
    cpu_seconds: float
    peak_memory_mb: float
    # what is in it: until the partitions were dealt out, and from then on until the last state was back
    joined: float = 0.0
    restored: float = 0.0
    records: int = 0
    note: str = ""


HEADS = ["restored", "how", "first decided", "every partition", "joined after", "then restored in", "records read"]
HEADS += ["CPU", "peak memory", ""]


def cells(restart: Restart) -> list[str]:
    """A restart's row of the table."""
    known = restart.records > 0 or restart.restored > 0
    return [
        restart.what,
        restart.how,
        f"{restart.first:.2f} s" if restart.first else "",
        f"{restart.every:.2f} s",
        f"{restart.joined:.2f} s" if known and restart.joined else "",
        f"{restart.restored:.2f} s" if known else "",
        f"{restart.records:,}" if known else "",
        f"{restart.cpu_seconds:.1f} s",
        f"{restart.peak_memory_mb:,.0f} MB" if restart.peak_memory_mb else "",
        restart.note,
    ]


def middle(restarts: list[Restart]) -> list[Restart]:
    """One row for each kind of restart: the one whose last partition is the median."""
    kinds: dict[tuple[str, str], list[Restart]] = {}
    for restart in restarts:
        kinds.setdefault((restart.what, restart.how), []).append(restart)
    chosen = []
    for alike in kinds.values():
        target = median(one.every for one in alike)
        chosen.append(min(alike, key=lambda one: abs(one.every - target)))
    return chosen


def judge(rows: list[Restart]) -> list[str]:
    """Where the figures stand to their aims."""
    by = {(row.what, row.how): row for row in rows}
    lines = []
    for ours, theirs in ((INTO_FOLDER, STREAMS_ROCKS), (IN_MEMORY, STREAMS_MEMORY)):
        mine, peers = by.get(("aggregates", ours)), by.get(("aggregates", theirs))
        if mine and peers:
            ratio = peers.every / mine.every
            lines.append(f"aggregates {ours}: {ratio:.1f} × as fast as {theirs} (aim: {AIM_OVER_STREAMS:g} ×)")
    for (what, how), row in by.items():
        if how == FROM_FOLDER:
            lines.append(f"{what} {how}: {row.every:.2f} s (aim: less than {AIM_LOCAL_SECONDS:g} s)")
    return lines
