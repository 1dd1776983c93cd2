"""Compares what gateways have answered over HTTP with the topics: no command is lost, and every answer is that of the log.

That nothing was done twice is the replay's business, whoever sent it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from accounting_log import Log
from accounting_model import codes
from client import Record
from differences import Differences

# What accounting_http.py writes: id, attempts, answer.
Entries = list[dict[str, Any]]


def check(log: Log, entries: Entries, found: Differences) -> str:
    """The ledger of a load over HTTP; gives what was looked at."""
    there = Counter(command.value["id"] for command in log.commands)
    firsts: dict[str, Record] = {}
    for outcome in log.outcomes:
        firsts.setdefault(outcome.value["command_id"], outcome.value)
    more = 0
    for entry in entries:
        id_, count = entry["id"], there[entry["id"]]
        # a producer of the gateway may send again what an outage of the broker has swallowed the answer to, as check_sent says
        more += max(0, count - entry["attempts"])
        first = firsts.get(id_)
        if not entry["answer"]:
            found.add("answer", f"{id_} has no answer over HTTP")
        elif found.check(count > 0 and first is not None, "answer", f"{id_} was answered and is not there") and first:
            is_, must = said(entry["answer"]), decided(first)
            found.check(is_ == must, "answer", f"{id_} was answered\n    is      {is_}\n    must be {must}")
    attempts = sum(entry["attempts"] for entry in entries)
    return f"{len(entries)} commands over HTTP in {attempts} requests ({more} kept twice by the broker)"


def said(answer: dict[str, Any]) -> Record:
    """What an answer says; of a rejection `status` is that of HTTP."""
    return _plain({**answer, "status": "rejected" if answer["status"] == 422 else answer["status"]})


def decided(outcome: Record) -> Record:
    """The same of an outcome in the log."""
    return _plain(outcome)


def _plain(outcome: Record) -> Record:
    return {
        "id": outcome["command_id"],
        "status": outcome["status"],
        "violations": codes(outcome["violations"]),
        "versions": sorted((version["aggregate_id"], version["version"]) for version in outcome["versions"]),
        "positions": sorted((place["topic"], place["partition"], place["offset"]) for place in outcome["positions"]),
    }
