"""How many machines so many users need, and which of their resources runs out first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from paper.costs import Load, cost, load
from paper.model import ABOVE, DAY, KEPT, Model
from paper.network import network
from paper.sizes import record_bytes, record_sizes, row_bytes


@dataclass(frozen=True)
class Needs:
    """What so many users need, at the default threshold."""

    users: int
    day: Load
    partitions: int
    # what asks for most of them
    because: str
    # bytes of records and rows, all copies
    kafka_bytes: float
    kafka_bytes_a_second: float
    timeline_bytes: float
    trimmed_bytes: float
    other_bytes: float
    # bytes of memory: of all processors, of every one of them, of all projectors, of the largest author's partition
    processor_bytes: float
    each_processor_bytes: float
    projector_bytes: float
    # bytes on the disks of projectors
    projector_disk: float
    largest_bytes: float
    largest_audience: float
    start_seconds: float
    # machines, by what asks for them and by what of it
    machines: dict[str, dict[str, float]]

    def count(self, kind: str) -> int:
        """Machines of a kind: as many as the scarcest of its resources asks for, three where copies lie."""
        least = 3 if kind in ("CQL", "Kafka") else 2
        wanted = max(self.machines[kind].values())
        return -1 if math.isinf(wanted) else max(least, math.ceil(wanted))

    @property
    def scarcest(self) -> list[str]:
        """What most machines are needed for, first what asks for most."""
        every = [(count, f"{kind}, {what}") for kind, asked in self.machines.items() for what, count in asked.items()]
        return [name for _, name in sorted(every, reverse=True)]


def needs(model: Model, users: int) -> Needs:
    """What so many users need."""
    part, habits, machines = model.constants, model.habits, model.machines
    net = network(users, habits, model.seed)
    day = load(net, habits, ABOVE)
    spent = cost(model, day)
    cores, memory, disk = (
        machines.cores * machines.used * DAY / habits.peak,
        machines.memory_gb * 1e9 * machines.used,
        machines.disk_tb * 1e12 * machines.used,
    )
    chirps = day.chirps * habits.history_days
    commands = (day.chirps + day.follows) * habits.peak / DAY
    rows = day.rows * habits.peak / DAY

    def known(partitions: int) -> float:
        """Bytes of memory for what projectors know, which is on their disks."""
        readers = users * _occupied(partitions, habits.follows)
        graph = net.edges * part.fold_edge_bytes + readers * part.fold_reader_bytes
        return graph + users * part.fold_author_bytes + chirps * part.fold_chirp_bytes

    known_disk = chirps * part.fold_chirp_disk + net.edges * part.fold_edge_disk
    folds = (chirps + net.edges + 3 * users) * part.fold_us / 1e6

    def asked(partitions: int) -> dict[str, float]:
        """How many lanes each resource asks for. A lane is not divided: neither its work nor its memory."""
        return {
            "commands": commands / part.lane_commands / machines.used,
            "rows": rows / part.lane_rows / machines.used,
            "memory": known(partitions) / memory,
            "a start": folds / (machines.start_minutes * 60),
        }

    partitions = 4
    while partitions < 1 << 30 and max(asked(partitions).values()) > partitions:
        partitions *= 2
    lanes = asked(partitions)
    folded = known(partitions) + partitions * part.fold_partition_bytes

    regular = habits.follows - day.followed
    places = _occupied(partitions, regular)
    written = regular * day.pushed_rate * habits.history_days
    per_row = row_bytes(model, "home_timelines") * machines.replication
    timeline = users * places * min(written / places, KEPT) * per_row if places else 0.0
    own = chirps * (row_bytes(model, "chirps") + row_bytes(model, "chirps_by_author"))
    graph = net.edges * (row_bytes(model, "following_by_user") + row_bytes(model, "followers_by_user"))
    chirp_bytes = {name: record_bytes(model, name) for name in record_sizes(habits)}
    follow_bytes = {name: record_bytes(model, name, follow=True) for name in chirp_bytes}
    # events and states of all chirps that are kept and of every follow; commands of a week, outcomes of a day
    kafka = chirps * (chirp_bytes["events"] + chirp_bytes["state"])
    kafka += net.edges * (follow_bytes["events"] + follow_bytes["state"])
    for name, days in (("commands", 7), ("outcomes", 1)):
        kafka += days * (day.chirps * chirp_bytes[name] + day.follows * follow_bytes[name])
    arriving = sum(day.chirps * chirp_bytes[name] + day.follows * follow_bytes[name] for name in chirp_bytes)
    # a user, a name, a chirp, a follow; with a copy that stands by
    aggregates = 2 * users + chirps + net.edges
    places_bytes = 2 * (aggregates * part.aggregate_memory + partitions * part.partition_memory)
    lookup = users * part.lookup_bytes
    state_bytes = chirps * chirp_bytes["state"] + net.edges * follow_bytes["state"]
    state_disk = 2 * state_bytes * part.state_disk_factor / part.compressed
    transactions = min(commands, partitions * part.lane_transactions) * part.transaction_us / 1e6
    largest = net.bins[0].audience
    one_reader = part.fold_edge_bytes + part.fold_reader_bytes
    return Needs(
        users=users,
        day=day,
        partitions=partitions,
        because=max(lanes, key=lambda name: lanes[name]),
        kafka_bytes=kafka * machines.replication,
        kafka_bytes_a_second=arriving * habits.peak / DAY,
        timeline_bytes=timeline,
        trimmed_bytes=users * min(written, KEPT) * per_row,
        other_bytes=(own + graph) * machines.replication,
        processor_bytes=places_bytes,
        each_processor_bytes=lookup,
        projector_bytes=folded,
        projector_disk=known_disk,
        largest_bytes=largest * one_reader,
        largest_audience=largest,
        start_seconds=folds / partitions,
        machines={
            "processors": {
                "CPU": spent.processor / cores + transactions / (machines.cores * machines.used),
                "memory": places_bytes / (memory - lookup) if lookup < memory else math.inf,
                "disk": state_disk / disk,
            },
            "projectors": {
                "CPU": spent.projector / cores,
                "memory": folded / memory,
                "disk": known_disk / disk,
            },
            "CQL": {
                "CPU, writing": spent.cql_write / cores,
                "CPU, reading": spent.cql_read / cores,
                "disk": (timeline + (own + graph) * machines.replication) / disk,
            },
            "Kafka": {"CPU": spent.kafka / cores, "disk": kafka * machines.replication / disk},
            "gateways": {"CPU": spent.gateway / cores},
        },
    )


def _occupied(partitions: int, authors: float) -> float:
    """In how many partitions so many authors are, on average."""
    return partitions * (1 - (1 - 1 / partitions) ** authors)
