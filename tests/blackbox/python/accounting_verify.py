"""Compares everything that a load of accounting commands left behind with a naive ledger.

From the topics alone: every command was answered once and rightly, every step taken once, no event is there twice, none is
missing. The money adds up in every cut of the events that contains the cause of each event in it. The states and the rows of
every view are those of the events. Prints each difference; exit code 1 when there is any.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import accounting_answers
import accounting_cuts
import accounting_log
import accounting_views
import views
from accounting_log import Log
from accounting_replay import replay
from client import Servers
from differences import Differences


def check_sent(log: Log, sent: list[tuple[str, int, int]], others: set[str], found: Differences) -> int:
    """Every command that the broker has acknowledged is there, where it said, and none but `others`; gives how many are there twice.

    After an outage librdkafka raises the epoch of its idempotent producer and sends again, as the first of the new epoch, what
    was not acknowledged: if the broker had it all the same, it has it twice, and the system answers it twice. Where the broker
    says that it has such a record already, it does not say where: librdkafka acknowledges it with an offset that means nothing.
    """
    of_it = [command for command in log.commands if command.value["id"] not in others]
    there = {(command.value["id"], command.partition, command.offset) for command in of_it}
    acknowledged = {(id_, partition, offset) for id_, partition, offset in sent}
    known, stored = {one[:2] for one in acknowledged}, {one[:2] for one in there}
    right = {one[:2] for one in acknowledged & there}
    for lost in sorted(one for one in acknowledged - there if one[:2] not in stored)[:20]:
        found.add("command", f"{lost} was acknowledged and is not there")
    elsewhere = {one for one in there - acknowledged if one[:2] in known}
    for foreign in sorted(there - acknowledged - elsewhere)[:20]:
        found.add("command", f"{foreign} is there and was not acknowledged")
    # one of those that were acknowledged at no place is the record itself
    return len(elsewhere) - len({one[:2] for one in elsewhere} - right)


def check_topics(log: Log, sent: list[tuple[str, int, int]], http: accounting_answers.Entries, found: Differences) -> str:
    """Everything in the topics; gives what was looked at."""
    twice = check_sent(log, sent, {entry["id"] for entry in http}, found)
    answers = f", {accounting_answers.check(log, http, found)}" if http else ""
    for dead in log.dead:
        found.add("dead", dead)
    ledger, counts = replay(log, found)
    accounting_views.check_states(log, ledger, found)
    of = counts.of
    return (
        f"{of['commands']} commands ({of['rejected']} rejected at once, {of['repeated']} repeated, "
        f"{of['misrouted']} misrouted; {twice} kept twice by the broker), {of['transfers']} transfers ({of['failed transfers']} failed), "
        f"{of['steps']} steps, {len(log.events)} events{answers}"
    )


def check_tables(log: Log, address: str, keyspace: str, seed: int, samples: int, found: Differences) -> str:
    """Views and money; gives what was looked at."""
    have = accounting_views.read(views.Cql(address, keyspace), found)
    for text in views.differences(have, accounting_views.expected(log)):
        found.add("view", text)
    balances = {key: row[3] for key, row in have["account_statements"].items()}
    cuts = accounting_cuts.check(log, balances, seed, samples, found)
    return f"{cuts} cuts, {sum(map(len, have.values()))} rows of {len(have)} views"


def main() -> int:
    """Verifies a whole load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--sent", type=Path, required=True, help="what accounting_load.py has written")
    parser.add_argument("--answered", type=Path, help="what accounting_http.py has written")
    parser.add_argument("--cql", nargs=2, metavar=("ADDRESS", "KEYSPACE"), required=True)
    parser.add_argument("--seed", type=int, default=1, help="for the random cuts")
    parser.add_argument("--cuts", type=int, default=40, help="how many random cuts")
    options = parser.parse_args()
    start = time.monotonic()
    found = Differences()
    log = accounting_log.read(Servers(options.kafka, options.registry, options.prefix, "accounting"))
    sent = [(id_, partition, offset) for id_, partition, offset in json.loads(options.sent.read_text())]
    http = json.loads(options.answered.read_text()) if options.answered else []
    said = check_topics(log, sent, http, found)
    # One mistake must not look like thousands.
    if not found.counts:
        said += ", " + check_tables(log, *options.cql, options.seed, options.cuts, found)
    verdict = ", ".join(f"{count} × {kind}" for kind, count in found.counts.items()) or "no difference"
    print(f"accounting, {len(sent)} sent: {said}: {verdict} ({time.monotonic() - start:.0f} s)")
    return 1 if found.counts else 0


if __name__ == "__main__":
    sys.exit(main())
