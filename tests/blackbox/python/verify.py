"""Compares everything a load left behind with the model: outcomes, events, states, views and feeds.

Prints each difference on a line of its own; exit code 1 when there is any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import client
import feeds
import views
from client import Codec, Record, Servers
from differences import Differences
from message import Prediction, Sending
from model import Model, run
from murmur2 import partition_of
from workload import Plan, generate


class Log:
    """What stands in the topics."""

    def __init__(self, servers: Servers) -> None:
        codec = Codec(servers.registry)
        self.servers = servers
        self.outcomes: defaultdict[str, list[tuple[int, Record]]] = defaultdict(list)
        for message in client.read_all(servers, servers.topic("outcomes")):
            outcome = codec.decode(message.value)
            self.outcomes[outcome["command_id"]].append((message.partition, outcome))
        self.events: list[tuple[int, int, Record]] = []
        for message in client.read_all(servers, servers.topic("events")):
            self.events.append((message.partition, message.offset, codec.decode(message.value)))
        self.states: dict[str, Record | None] = {}
        for message in client.read_all(servers, servers.topic("state")):
            value = message.value
            self.states[message.text] = None if value is None else codec.decode(value)
        self.dead = list(client.read_all(servers, servers.topic("commands.dead")))


def kind_of(event: Record) -> str:
    """The message name of an event's data."""
    return str(event["data"][0]).rsplit(".", 1)[-1]


def winners(sendings: list[Sending], log: Log, found: Differences) -> dict[str, str]:
    """The command that won each race: exactly one may have."""
    racers: defaultdict[str, set[str]] = defaultdict(set)
    for sending in sendings:
        if sending.race is not None:
            racers[sending.race].add(sending.id)
    result = {}
    for race, ids in sorted(racers.items()):
        won = sorted(id_ for id_ in ids if any(o["status"] == "accepted" for _, o in log.outcomes[id_]))
        found.check(len(won) == 1, "race", f"{race} was won by {won}, of {sorted(ids)}")
        result[race] = won[0] if won else min(ids)
    return result


def check_outcomes(
    sendings: list[Sending],
    predictions: list[Prediction],
    places: dict[int, tuple[int, int]],
    log: Log,
    found: Differences,
) -> None:
    """One outcome for each sending, in its partition, as predicted; repeated ones with the first one's content."""
    by_id: defaultdict[str, list[int]] = defaultdict(list)
    for number, sending in enumerate(sendings):
        by_id[sending.id].append(number)
    for id_ in log.outcomes.keys() - by_id.keys():
        found.add("outcome", f"{id_} was never sent: {log.outcomes[id_]}")
    for id_, numbers in by_id.items():
        got = log.outcomes.get(id_, [])
        if not found.check(
            len(got) == len(numbers), "outcome", f"{id_}: {len(got)} for {len(numbers)} sendings"
        ):
            continue
        for number, (partition, outcome) in zip(numbers, got):
            sending, prediction = sendings[number], predictions[number]
            text = difference(prediction, outcome)
            found.check(not text, "outcome", f"{text}\n    sent {sending}\n    got  {outcome}")
            found.check(partition == places[number][0], "partition", f"{id_}: answered in {partition}")
            if prediction.duplicate:
                first = {**got[0][1], "duplicate": True, "recorded_at": outcome["recorded_at"]}
                # of a repeated answer the first bytes of the digest are kept
                if first.get("digest") and outcome.get("digest") == first["digest"][:8]:
                    first["digest"] = outcome["digest"]
                found.check(outcome == first, "duplicate", f"{outcome} is not the first one's {first}")
            else:
                check_positions(sending, prediction, outcome, places[number], log.servers, found)


def difference(prediction: Prediction, outcome: Record) -> str:
    """What is not as predicted, in words; empty when all is."""
    wrong = []
    if outcome["status"] != prediction.status:
        wrong.append(f"status must be {prediction.status}")
    violations = [(v["code"], v["field"]) for v in outcome["violations"]]
    if violations != prediction.violations:
        wrong.append(f"violations must be {prediction.violations}")
    if outcome["duplicate"] != prediction.duplicate:
        wrong.append(f"duplicate must be {prediction.duplicate}")
    if any(not v["message"].strip() for v in outcome["violations"]):
        wrong.append("a violation has no message")
    versions = {v["aggregate_id"]: v["version"] for v in outcome["versions"]}
    predicted = {k: versions.get(k, 0) if v is None else v for k, v in prediction.versions.items()}
    if versions != predicted:
        wrong.append(f"versions must be {predicted}")
    return "; ".join(wrong)


def check_positions(
    sending: Sending,
    prediction: Prediction,
    outcome: Record,
    place: tuple[int, int],
    servers: Servers,
    found: Differences,
) -> None:
    """Where a reader must have come to see the effect: the command itself, or steps of its process."""
    got = [(p["topic"], p["partition"], p["offset"]) for p in outcome["positions"]]
    if not prediction.versions:
        found.check(got == [], "positions", f"{sending.id} wrote nothing, but {got}")
    elif sending.type == "RegisterUser":
        partitions = [partition for _, partition, _ in got]
        ok = place[0] in partitions and len(set(partitions)) == len(partitions)
        ok = ok and all(topic == servers.topic("steps") for topic, _, _ in got)
        found.check(ok, "positions", f"{sending.id} in partition {place[0]}: a process, but {got}")
    else:
        want = [(servers.topic("commands"), *place)]
        found.check(got == want, "positions", f"{sending.id}: {got}, must be {want}")


def check_events(model: Model, log: Log, partitions: int, found: Differences) -> views.Times:
    """Exactly the model's events, versions without gaps, times that rise, ids that are unique."""
    times = views.Times()
    ids: set[str] = set()
    last_time: dict[int, int] = {}
    by_aggregate: defaultdict[str, list[Record]] = defaultdict(list)
    for partition, offset, event in log.events:
        where = f"partition {partition} offset {offset}"
        found.check(event["id"] not in ids, "event id", f"{event['id']} twice, again at {where}")
        ids.add(event["id"])
        found.check(
            event["recorded_at"] > last_time.get(partition, 0), "time", f"not later than before, at {where}"
        )
        last_time[partition] = event["recorded_at"]
        by_aggregate[event["aggregate_id"]].append(event)
        times.take(kind_of(event), event["data"][1], event["recorded_at"])
        routing = routing_key(event)
        right = partition_of(routing, partitions)
        found.check(
            partition == right, "event place", f"{event['aggregate_id']} at {where}, must be in {right}"
        )
    for aggregate in sorted(by_aggregate.keys() | model.events.keys()):
        got, want = by_aggregate[aggregate], model.events.get(aggregate, [])
        versions = [event["version"] for event in got]
        found.check(versions == list(range(1, len(got) + 1)), "version", f"{aggregate} has {versions}")
        is_ = [(kind_of(event), event["command_id"], known(event["data"][1])) for event in got]
        must = [(e.type, e.command_id, known(e.data)) for e in want]
        if aggregate in model.contested:
            # Who came first is the race's own business.
            is_.sort(key=repr)
            must.sort(key=repr)
        found.check(is_ == must, "event", f"{aggregate}\n    is      {is_}\n    must be {must}")
        check_state(aggregate, len(got), log, found)
    for aggregate, state in log.states.items():
        # How far a partition has taken each other's steps is the engine's own note; all else it notes must be settled.
        gone = state is None or aggregate in by_aggregate or aggregate.startswith("Inbox/")
        found.check(gone, "state", f"{aggregate} has a state and no event: {state}")
    return times


def check_state(aggregate: str, version: int, log: Log, found: Differences) -> None:
    """The newest state is that of the newest event."""
    state = log.states.get(aggregate)
    at = None if state is None else state["version"]
    found.check(at == version, "state", f"{aggregate} is at version {at}, its events at {version}")


def routing_key(event: Record) -> str:
    """What picked the partition of an event: its aggregate's part that is routed by."""
    kind, rest = str(event["aggregate_id"]).split("/", 1)
    return rest if kind in ("User", "Username") else rest.split("/")[0]


def known(data: Record) -> Record:
    """An event's data without what a refusal adds to the command's."""
    return {key: value for key, value in data.items() if key != "violations"}


def check_feeds(
    model: Model, times: views.Times, cli: feeds.Cli, plan: Plan, count: int, found: Differences
) -> int:
    """The feeds of a sample of readers, in one page and page by page."""
    readers = feeds.sample(model, plan.timeline_cap, count)
    cap = plan.timeline_cap

    def one(reader: str) -> list[str]:
        want = feeds.oracle(model, times, reader)[:cap]
        whole = cli.feed(reader, cap)
        wrong = feeds.differences(reader, feeds.shown(whole)[:cap], want)
        # Pages of an odd size, for some: a page must not depend on where the last one ended.
        if sum(map(ord, reader)) % 4 == 0:
            paged = cli.paged(reader, 1 + len(want) // 3, cap)
            wrong += feeds.differences(f"{reader}, paged", feeds.shown(paged), want)
        return wrong

    with ThreadPoolExecutor(2) as pool:
        for wrong in pool.map(one, readers):
            for text in wrong:
                found.add("feed", text)
    return len(readers)


def main() -> int:
    """Verifies a whole load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--places", type=Path, required=True)
    tables = parser.add_mutually_exclusive_group(required=True)
    tables.add_argument("--sqlite", type=Path, help="folder of the tables")
    tables.add_argument("--cql", nargs=2, metavar=("ADDRESS", "KEYSPACE"))
    parser.add_argument("--millrace", required=True, help="the binary")
    parser.add_argument("--steady", action="store_true", help="the load was ended before the plan was")
    parser.add_argument("--feeds", type=int, default=60, help="how many readers' feeds to compare")
    parser.add_argument("flags", nargs="*", help="flags for `millrace feed`, after --")
    options = parser.parse_args()

    plan = Plan(**json.loads(options.plan.read_text()))
    sendings = generate(plan).sendings
    places = {n: (partition, offset) for n, partition, offset in json.loads(options.places.read_text())}
    if options.steady:
        sendings = sendings[: len(places)]
    servers = Servers(options.kafka, options.registry, options.prefix)
    found = Differences()
    log = Log(servers)
    model, predictions = run(sendings, winners(sendings, log, found))
    check_outcomes(sendings, predictions, places, log, found)
    for message in log.dead:
        found.add("dead", f"{message.key!r} {message.headers}")
    partitions = client.partition_count(servers, servers.topic("commands"))
    times = check_events(model, log, partitions, found)
    if found.counts["event"] == 0:
        found_views: Any = views.Cql(*options.cql) if options.cql else views.Sqlite(options.sqlite)
        have, wrong = views.read(found_views)
        for text in wrong + views.differences(have, views.expected(model, times)):
            found.add("view", text)
        cli = feeds.Cli(options.millrace, options.flags)
        compared = check_feeds(model, times, cli, plan, options.feeds, found)
        print(f"compared {compared} feeds and {sum(map(len, have.values()))} rows of {len(have)} views")
    rejected = sum(p.status == "rejected" and not p.duplicate for p in predictions)
    repeated = sum(p.duplicate for p in predictions)
    print(
        f"verified {len(sendings)} commands ({rejected} rejected, {repeated} repeated), {len(log.events)} events: "
        + (", ".join(f"{count} × {kind}" for kind, count in found.counts.items()) or "no difference")
    )
    return 1 if found.counts else 0


if __name__ == "__main__":
    sys.exit(main())
