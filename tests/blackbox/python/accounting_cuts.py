"""The money invariant of accounting, in every cut of the events that contains the cause of each event in it.

Per currency: Σ balances − Σ amounts credited and not yet settled = Σ deposits − Σ withdrawals. The balances are those that the
statements show, not sums made here, so that the two sides come from different hands.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter, defaultdict

from accounting_log import Log, Message, by_partition
from differences import Differences

# What each event of a transfer needs to be in a cut with it.
CAUSES = {
    "FundsReserved": ["TransferRequested"],
    "ReservationRefused": ["TransferRequested"],
    "TransferCredited": ["FundsReserved"],
    "CreditRefused": ["FundsReserved"],
    "ReservationSettled": ["TransferCredited"],
    "ReservationReleased": ["CreditRefused"],
    "TransferCompleted": ["ReservationSettled"],
    "TransferFailed": ["ReservationReleased", "ReservationRefused"],
}
# The balance after an entry of a statement, by account and version.
Balances = dict[tuple[str, int], int]


class Books:
    """What the events of a cut say, one added after the other."""

    def __init__(self, balances: Balances) -> None:
        self.shown = balances
        self.currency: dict[str, str] = {}
        self.balance: dict[str, int] = {}
        self.sum: Counter[str] = Counter()
        self.outside: Counter[str] = Counter()
        # Credited and not yet settled.
        self.under_way: Counter[str] = Counter()
        self.credits: dict[str, int] = {}
        self.settled: set[str] = set()

    def add(self, event: Message) -> None:
        """Takes one more event in; events of different partitions in any order."""
        data, value = event.data, event.value
        match event.kind:
            case "AccountOpened":
                self.currency[data["account_id"]] = data["currency"]
            case "MoneyDeposited":
                self.outside[data["currency"]] += data["amount"]
            case "MoneyWithdrawn":
                self.outside[data["currency"]] -= data["amount"]
            case "TransferCredited":
                self._credited(data["transfer_id"], data["currency"], data["amount"])
            case "ReservationSettled":
                self.settled.add(data["transfer_id"])
                self.under_way[data["currency"]] -= self.credits.get(data["transfer_id"], 0)
        kind, account = str(value["aggregate_id"]).split("/", 1)
        shown = self.shown.get((account, value["version"])) if kind == "Account" else None
        if shown is not None:
            self.sum[self.currency[account]] += shown - self.balance.get(account, 0)
            self.balance[account] = shown

    def _credited(self, transfer: str, currency: str, amount: int) -> None:
        if transfer not in self.credits:
            self.credits[transfer] = amount
            self.under_way[currency] += 0 if transfer in self.settled else amount

    def wrong(self) -> str:
        """What does not add up; nothing if all does."""
        for currency in self.sum.keys() | self.outside.keys():
            left = self.sum[currency] - self.under_way[currency]
            if left != self.outside[currency]:
                return (
                    f"{currency}: balances {self.sum[currency]} less {self.under_way[currency]} credited and not settled, "
                    f"but {self.outside[currency]} came in from outside"
                )
        return ""


def check(log: Log, balances: Balances, seed: int, samples: int, found: Differences) -> int:
    """Every cut in the order of time, and as many random ones; gives how many cuts were looked at."""
    events = sorted(log.events, key=lambda event: event.value["recorded_at"])
    books = Books(balances)
    for event in events:
        books.add(event)
        text = books.wrong()
        if not found.check(not text, "money", f"after {event.partition}/{event.offset} in time: {text}"):
            break
    luck = random.Random(seed)
    parts = by_partition(log.events)
    causes = Causes(log)
    for _ in range(samples):
        cut = causes.close(random_cut(parts, events, luck))
        books = Books(balances)
        for partition, length in cut.items():
            for event in parts[partition][:length]:
                books.add(event)
        text = books.wrong()
        found.check(not text, "money", f"in the cut {dict(cut)}: {text}")
    return len(events) + samples


def random_cut(
    parts: defaultdict[int, list[Message]], events: list[Message], luck: random.Random
) -> dict[int, int]:
    """How much of each partition: up to about the same time, give or take some seconds."""
    if not events:
        return {}
    about = luck.choice(events).value["recorded_at"]
    cut = {}
    for partition, messages in parts.items():
        until = about + luck.randint(-3_000_000, 3_000_000)
        cut[partition] = bisect_right(messages, until, key=lambda event: event.value["recorded_at"])
    return cut


class Causes:
    """Where the cause of each event lies."""

    def __init__(self, log: Log) -> None:
        self.parts = by_partition(log.events)
        self.places: dict[tuple[str, str], tuple[int, int]] = {}
        for partition, events in self.parts.items():
            for number, event in enumerate(events):
                if "transfer_id" in event.data:
                    self.places.setdefault((event.kind, event.data["transfer_id"]), (partition, number))

    def close(self, cut: dict[int, int]) -> dict[int, int]:
        """The smallest cut around this one that contains the cause of each event in it."""
        done: dict[int, int] = defaultdict(int)
        while open_ := [partition for partition, length in cut.items() if done[partition] < length]:
            for partition in open_:
                length = cut[partition]
                for event in self.parts[partition][done[partition] : length]:
                    for kind in CAUSES.get(event.kind, []):
                        place = self.places.get((kind, event.data["transfer_id"]))
                        if place is not None:
                            cut[place[0]] = max(cut.get(place[0], 0), place[1] + 1)
                done[partition] = length
        return cut
