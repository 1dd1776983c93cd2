"""The checks of accounting find nothing where nothing is wrong, and every mistake that is planted."""

from __future__ import annotations

import contextlib
import io
import random
import unittest
from collections import Counter
from dataclasses import replace
from typing import Any

import accounting_answers
import accounting_cuts
import accounting_views
from accounting_fake import Fake
from accounting_log import Log, Message
from accounting_replay import replay
from accounting_workload import Customers
from differences import Differences


def differences(log: Log, balances: accounting_cuts.Balances | None = None) -> Counter[str]:
    """What the checks find, by kind."""
    found = Differences()
    with contextlib.redirect_stdout(io.StringIO()):
        replay(log, found)
        if not found.counts or balances is not None:
            accounting_cuts.check(log, shown(log) if balances is None else balances, 1, 10, found)
    return found.counts


def answers(log: Log, entries: accounting_answers.Entries) -> Counter[str]:
    """What is found wrong with answers over HTTP."""
    found = Differences()
    with contextlib.redirect_stdout(io.StringIO()):
        accounting_answers.check(log, entries, found)
    return found.counts


def shown(log: Log) -> accounting_cuts.Balances:
    """The balances that statements would show."""
    views = accounting_views.expected(log)
    return {(key[0], key[1]): row[3] for key, row in views["account_statements"].items()}


def first(messages: list[Message], kind: str) -> int:
    """The place of the first message of a kind."""
    return next(number for number, message in enumerate(messages) if message.kind == kind)


def changed(message: Message, **fields: Any) -> Message:
    """A message with other fields in its envelope."""
    return replace(message, value={**message.value, **fields})


class Checks(unittest.TestCase):
    """On logs of the fake."""

    def setUp(self) -> None:
        self.log = Fake(4, 1).run(1500)

    def test_nothing_is_found_where_nothing_is_wrong(self) -> None:
        for seed in range(2, 6):
            self.assertEqual(differences(Fake(1 + seed % 4, seed).run(800)), Counter())
        self.assertEqual(differences(self.log), Counter())

    def test_the_workload_has_everything_in_it(self) -> None:
        events = Counter(event.kind for event in self.log.events)
        self.assertEqual(len(events), 13, events)
        codes = Counter(v["code"] for o in self.log.outcomes for v in o.value["violations"])
        self.assertEqual(
            set(codes),
            {
                "AlreadyExists",
                "InsufficientFunds",
                "InvalidArgument",
                "InvalidState",
                "Misrouted",
                "NotFound",
                "NotPermitted",
                "Overflow",
                "VersionConflict",
            },
        )
        self.assertTrue(any(outcome.value["duplicate"] for outcome in self.log.outcomes))

    def test_a_seed_gives_the_same_commands(self) -> None:
        one, same, other = (Customers(seed).orders() for seed in (3, 3, 4))
        self.assertEqual([next(one) for _ in range(500)], [next(same) for _ in range(500)])
        self.assertNotEqual([next(one) for _ in range(50)], [next(other) for _ in range(50)])

    def test_a_lost_outcome(self) -> None:
        del self.log.outcomes[random.Random(1).randrange(len(self.log.outcomes))]
        self.assertGreater(differences(self.log)["outcome"], 0)

    def test_an_outcome_too_many(self) -> None:
        self.log.outcomes.append(self.log.outcomes[5])
        self.assertGreater(differences(self.log)["outcome"], 0)

    def test_a_repetition_that_does_not_say_so(self) -> None:
        number = next(n for n, o in enumerate(self.log.outcomes) if o.value["duplicate"])
        self.log.outcomes[number] = changed(self.log.outcomes[number], duplicate=False)
        self.assertGreater(differences(self.log)["duplicate"], 0)

    def test_a_wrong_rejection(self) -> None:
        number = next(n for n, o in enumerate(self.log.outcomes) if o.value["status"] == "accepted")
        self.log.outcomes[number] = changed(self.log.outcomes[number], status="rejected")
        self.assertGreater(differences(self.log)["outcome"], 0)

    def test_an_event_twice(self) -> None:
        self.log.events.append(self.log.events[7])
        self.assertGreater(differences(self.log)["event twice"], 0)

    def test_a_lost_event(self) -> None:
        del self.log.events[first(self.log.events, "MoneyDeposited")]
        self.assertGreater(differences(self.log).total(), 0)

    def test_an_event_with_another_amount(self) -> None:
        number = first(self.log.events, "MoneyDeposited")
        event = self.log.events[number]
        data = (event.kind, {**event.data, "amount": event.data["amount"] + 1})
        self.log.events[number] = changed(event, data=data)
        self.assertGreater(differences(self.log)["event"], 0)

    def test_a_lost_step_and_a_step_twice(self) -> None:
        step = self.log.steps.pop()
        self.assertGreater(differences(self.log)["step"], 0)
        self.log.steps += [step, step]
        self.assertGreater(differences(self.log)["step"], 0)

    def test_a_transfer_that_does_not_end(self) -> None:
        number = next(n for n, e in enumerate(self.log.events) if e.kind == "TransferCompleted")
        event = self.log.events.pop(number)
        self.assertGreater(differences(self.log)["open"], 0, event)

    def test_commands_out_of_order(self) -> None:
        of_one = [n for n, e in enumerate(self.log.events) if e.kind == "MoneyDeposited" and e.partition == 0]
        one, other = of_one[10:12]
        times = [self.log.events[n].value["command_offset"] for n in (one, other)]
        self.log.events[one] = changed(self.log.events[one], command_offset=times[1])
        self.log.events[other] = changed(self.log.events[other], command_offset=times[0])
        self.assertGreater(differences(self.log)["order"], 0)

    def test_money_that_is_credited_twice(self) -> None:
        balances = shown(self.log)
        credit = self.log.events[first(self.log.events, "TransferCredited")]
        account = credit.data["to"]
        for name, version in list(balances):
            if name == account and version >= credit.value["version"]:
                balances[name, version] += credit.data["amount"]
        self.assertGreater(differences(self.log, balances)["money"], 0)

    def test_an_answer_over_http_that_is_not_the_logs(self) -> None:
        firsts: dict[str, Any] = {}
        for outcome in self.log.outcomes:
            firsts.setdefault(outcome.value["command_id"], outcome.value)
        sent = {command.value["id"] for command in self.log.commands}
        entries = [{"id": id_, "attempts": 9, "answer": dict(first)} for id_, first in firsts.items() if id_ in sent]
        self.assertEqual(answers(self.log, entries), Counter())
        for mistake in (
            {**entries[0], "answer": {}},
            {**entries[0], "answer": {**entries[0]["answer"], "versions": [{"aggregate_id": "A/b", "version": 9}]}},
            {**entries[0], "answer": {**entries[0]["answer"], "status": 422}},
            {**entries[0], "id": "lost"},
        ):
            self.assertEqual(answers(self.log, [mistake, *entries[1:]]), Counter(answer=1))

    def test_a_cut_contains_the_causes(self) -> None:
        causes = accounting_cuts.Causes(self.log)
        credit = self.log.events[first(self.log.events, "TransferCredited")]
        part = causes.parts[credit.partition]
        cut = causes.close({credit.partition: part.index(credit) + 1})
        held = [e for p, length in cut.items() for e in causes.parts[p][:length]]
        kinds = {e.kind for e in held if e.data.get("transfer_id") == credit.data["transfer_id"]}
        self.assertLessEqual({"TransferRequested", "FundsReserved", "TransferCredited"}, kinds)


if __name__ == "__main__":
    unittest.main()
