"""What the parts cost, what users do, what a machine has: all that the figures follow from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
DAY = 86_400.0
ASSUMED = "assumed"
# What `celebrity_above`, `celebrity_below` and `timeline_cap` are if nobody sets them.
ABOVE, BELOW, CAP = 1_000, 900, 800
# A partition trims a reader's timeline when it has written a quarter more than the cap.
KEPT = CAP + CAP // 4
# Rows of a bucket (`bucket_rows`).
BUCKET = 500
# Of an accepted command: command, event, state, outcome.
RECORDS = 4
# Of the domain.
TOPICS = 7
# Rows whatever the audience: a chirp in chirps and chirps_by_author; of a celebrity one more and the deletion of the oldest; a
# follow in following_by_user, followers_by_user and both counts.
CHIRP_ROWS, CELEBRITY_ROWS, FOLLOW_ROWS = 2, 2, 4
# A page of `following_by_user` that a feed asks for.
FOLLOWS_PAGE = 1_000
# Audiences of the first so many authors are drawn one by one, the others in bins, so many a decade of ranks.
DRAWN, BINS = 1_000, 100
EXAMPLES = (1_000_000, 50_000_000, 500_000_000)
BY_GROWTH = "`make bench-growth`"
BY_READ_SIDE = "`make bench-read-side`"
BY_STATE = "`cargo run --profile dist -p millrace-bench-state -- open --aggregates 10000000 --answers 5000000`"
BY_FAN_OUT = "`make bench-fan-out`"
BY_MEASURE = "`python bench/capacity.py --measure`"
BY_TYPES = f"{ASSUMED}: counted from the types"


def _part(value: float, says: str, by: str) -> Any:
    return field(default=value, metadata={"says": says, "by": by})


@dataclass(frozen=True)
class Constants:
    """What the parts cost, on a core of the machine of bench/README.md: CPU in µs, sizes in bytes; and which command says so."""

    # 84,955 commands per CPU-second in results/growth.json; those of accounting, which leave as many records
    command_us: float = _part(12, "processor: CPU of a command, µs", f"{BY_GROWTH}: 10 M aggregates, 4 partitions")
    # 94,240 a second in results/growth.json
    lane_commands: float = _part(94_000, "processor: commands a second of one lane", f"{BY_GROWTH}: 10 M aggregates, 1 partition")
    # (1,225 − 442 MB) / 12 and (1,763 − 853 MB) / 12 in results/growth.json
    partition_memory: float = _part(70e6, "processor: memory of a partition, bytes", f"{BY_GROWTH}: 4 to 16 partitions")
    # a batch's fixed part, as docs/decisions/0014 found with batches of 200 and of 1,000
    transaction_us: float = _part(1_200, "processor: CPU of a transaction, whatever is in it, µs", "`make bench-throughput`")
    # a p50 of 5 to 23 ms
    lane_transactions: float = _part(100, "processor: transactions a second of one lane, at most", "`make bench-latency`")
    # 310 MB for 10 M aggregates and 5 M answers
    aggregate_memory: float = _part(31, "processor: memory of an aggregate's place, bytes", BY_STATE)
    # (1,909 − 502 MB) / 10 M = 141 bytes on disk for a key of 20 and a state of 63
    state_disk_factor: float = _part(1.7, "processor: disk of a state over its size", f"{BY_GROWTH}: 10 k to 10 M aggregates")
    # the median of `speed` in results/fan-out.json, with the CQL server on the same two cores
    lane_rows: float = _part(27_000, "projector: rows a second of one lane", f"{BY_FAN_OUT}: 1 partition")
    row_us: float = _part(6, "projector: CPU of a row, µs", BY_MEASURE)
    # (7.66 − 2.09 s) / 750,000 in results/read-side-quiet.json, by the clock
    fold_us: float = _part(7, "projector: an event folded again where its disk is lost, µs", f"{BY_READ_SIDE}: 250 k to 1 M chirps")
    # 335 to 371 MB in results/read-side.json: the cache (`state_cache_bytes`), what has changed since the last checkpoint, what the
    # client has read ahead; none of it grows with the history
    fold_partition_bytes: float = _part(90e6, "projector: memory of a partition and its cache, bytes", f"{BY_READ_SIDE}: 4 partitions")
    # 31 bytes of the index (`aggregate_memory`) for a piece of four kilobytes, in which are eight chirps, or fifty of their ids; in
    # memory is an eighth of it, what changed since the last snapshot
    fold_chirp_bytes: float = _part(0.6, "projector: memory of a chirp, bytes", f"{ASSUMED}: counted from the pieces of lists")
    # (479 − 100 MB) / 750,000 in results/read-side-quiet.json with ids of seven characters; those of 36 are there four times
    fold_chirp_disk: float = _part(700, "projector: disk of a chirp with its text, bytes", f"{BY_READ_SIDE}, and 200 for longer ids")
    # 30.7 bytes of 20,000 follows of 1,000 people
    fold_edge_disk: float = _part(31, "projector: disk of a follow, bytes", BY_FAN_OUT)
    broker_us: float = _part(21, "Kafka: CPU of a record, one copy, written and read, µs", BY_MEASURE)
    write_us: float = _part(38, "CQL: CPU of a row written, one copy, µs", BY_MEASURE)
    query_us: float = _part(117, "CQL: CPU of a query, one copy, µs", BY_MEASURE)
    read_row_us: float = _part(4.5, "CQL: CPU of a row read, one copy, µs", BY_MEASURE)
    # there is no gateway yet: a query is taken for as dear as the projector's request for one row
    client_us: float = _part(10, "gateway: CPU of a query, µs", f"{ASSUMED}: as a projector's row")
    merge_us: float = _part(1, "gateway: CPU of a row merged, µs", ASSUMED)
    # 30.6 bytes a follow with what is known on disk (bench/README.md)
    fold_edge_bytes: float = _part(31, "projector: memory of a follow, bytes", BY_FAN_OUT)
    # 881 bytes a person, of which the cache that fills meanwhile is 670
    fold_author_bytes: float = _part(250, "projector: memory of an author, bytes", BY_FAN_OUT)
    # the index for the id, its number, and the list of whom they follow
    fold_reader_bytes: float = _part(100, "projector: memory of a reader in a partition, bytes", BY_TYPES)
    # a text of 41 bytes, its allocation, and its place in a set
    lookup_bytes: float = _part(90, "processor: memory of a user in the look-up table, bytes", BY_TYPES)
    # lengths, times, offsets and number of headers, as varints; a batch's 61 bytes are shared by many
    record_overhead: float = _part(10, "Kafka: bytes of a record beside key and value", f"{ASSUMED}: the record format")
    row_overhead: float = _part(25, "CQL: bytes of a row beside its values", f"{ASSUMED}: flags, times, lengths")
    compressed: float = _part(1.0, "Kafka and CQL: bytes on disk over bytes written", f"{ASSUMED}: compression is a reserve")


@dataclass(frozen=True)
class Habits:
    """What users do, and what they write."""

    follows: float = _part(100, "users that a user follows, mean", ASSUMED)
    follow_rate: float = _part(0.1, "new follows of a user on a day", ASSUMED)
    posts: float = _part(1, "chirps of a user on a day, mean", ASSUMED)
    max_posts: float = _part(100, "chirps of a user on a day, at most", ASSUMED)
    zipf: float = _part(0.25, "Zipf exponent of chirps by rank of audience: 0 = all users alike", ASSUMED)
    exponent: float = _part(2.3, "exponent of the density of audiences, far out", ASSUMED)
    largest: float = _part(0.3, "share of all users that follow the most followed, at most", ASSUMED)
    reads: float = _part(10, "pages of the feed that a user reads on a day", ASSUMED)
    page: float = _part(20, "chirps on a page", "the default of `millrace feed`")
    cached: float = _part(0, "share of celebrities' pages that readers have in a cache", "there is none")
    history_days: float = _part(365, "days whose chirps are kept", ASSUMED)
    peak: float = _part(3, "the busiest second over the mean", ASSUMED)
    id_bytes: float = _part(36, "bytes of an id", "a UUID")
    content_bytes: float = _part(100, "bytes of a chirp's text, mean", ASSUMED)
    username_bytes: float = _part(12, "bytes of a name, mean", ASSUMED)


@dataclass(frozen=True)
class Machines:
    """What a machine has, and how many copies there are."""

    cores: float = _part(16, "cores", ASSUMED)
    memory_gb: float = _part(128, "memory, GB", ASSUMED)
    disk_tb: float = _part(8, "disk, TB", ASSUMED)
    start_minutes: float = _part(10, "minutes that a projector may fold where its disk is lost", ASSUMED)
    used: float = _part(0.5, "share of cores, memory and disk in use at the peak", ASSUMED)
    replication: float = _part(3, "copies of records and rows", "the default of `tables apply`; `topics/chirp.toml` says how to")
    quorum: float = _part(2, "copies that answer a read", "`LOCAL_QUORUM`")


@dataclass(frozen=True)
class Model:
    """All that the figures follow from."""

    constants: Constants = Constants()
    habits: Habits = Habits()
    machines: Machines = Machines()
    seed: int = 1


def values(part: Any) -> Iterator[tuple[Field[Any], float]]:
    """The fields of constants, habits or machines, with what they are."""
    for one in fields(part):
        yield one, getattr(part, one.name)
