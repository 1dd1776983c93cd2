"""A seeded, endless stream of accounting commands: what customers of a bank do, and what they had better not do.

It knows nothing of what becomes of them, so it can be sent at any speed and in any weather: about one in ten must be refused
for a reason of its own, and others may be, as it happens (an account that is just being closed, funds that are just gone).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from message import Fields

ROUTING_FIELD = {
    "OpenAccount": "account_id",
    "Deposit": "account_id",
    "Withdraw": "account_id",
    "Transfer": "transfer_id",
    "CloseAccount": "account_id",
}
CURRENCIES = ["EUR", "EUR", "EUR", "USD", "JPY"]
BAD_CURRENCIES = ["", "eur", "ZZZ", "EURO"]
BAD_IDS = ["", "not an id", "a/b", "x" * 65]
MOST = 2**63 - 1
# What is sent again was sent a moment ago, while its process may still be open, or a while ago.
JUST_SENT, SENT = 20, 3_000


@dataclass(frozen=True)
class Order:
    """One record that a producer sends."""

    id: str
    type: str
    data: Fields
    user_id: str | None = None
    expected_version: int | None = None
    # A wrong key, no key, or a partition that is not the key's.
    astray: str | None = None

    @property
    def routing_key(self) -> str:
        """What the record key has to be."""
        return str(self.data[ROUTING_FIELD[self.type]])


class Customers:
    """The stream; the same seed gives the same commands."""

    def __init__(self, seed: int, accounts: int = 300) -> None:
        self.random = random.Random(seed)
        self.accounts = accounts
        self.opened: list[str] = []
        self.short_lived: deque[str] = deque(maxlen=200)
        self.sent: deque[Order] = deque(maxlen=SENT)
        self.count = 0

    def orders(self) -> Iterator[Order]:
        """Without end."""
        for number in range(40):
            yield self._send(self._open(number))
        for number in range(3):
            whale = self._order("OpenAccount", account_id=f"whale-{number}", owner_id="whale", currency="EUR")
            yield self._send(whale)
            yield self._send(self._deposit(f"whale-{number}", "EUR", MOST - 5))
        while True:
            for order in self._some():
                yield self._send(order)

    def _send(self, order: Order) -> Order:
        self.sent.append(order)
        return order

    def _some(self) -> list[Order]:
        """The next idea of a customer: mostly one command."""
        roll = self.random.random()
        if len(self.opened) < self.accounts and roll < 0.02:
            return [self._open(len(self.opened))]
        if roll < 0.32:
            account = self._account()
            return [self._deposit(account, currency_of(account), self.random.randint(1, 10_000))]
        if roll < 0.48:
            account = self._account()
            owner = self.random.choice([None, f"owner-of-{account}"])
            return [self._withdraw(account, currency_of(account), self.random.randint(1, 8_000), owner)]
        if roll < 0.83:
            return [self._transfer(*self._two_of_one_currency(), self.random.randint(1, 6_000))]
        if roll < 0.85:
            return self._life_of_an_account()
        if roll < 0.89:
            return [self._again()]
        return [self._refused()]

    # -- what is as it should be ----------------------------------------------------------------------

    def _order(self, kind: str, **data: object) -> Order:
        self.count += 1
        return Order(f"a{self.count}", kind, dict(data))

    def _open(self, number: int) -> Order:
        account = f"account-{number}"
        self.opened.append(account)
        order = self._order(
            "OpenAccount",
            account_id=account,
            owner_id=f"owner-of-{account}",
            currency=currency_of(account),
        )
        return replace(order, expected_version=0 if number % 3 == 0 else None)

    def _deposit(self, account: str, currency: str, amount: int) -> Order:
        reference = self.random.choice(["", "rent", "Grüße 🦀", "wages"])
        return self._order(
            "Deposit", account_id=account, amount=amount, currency=currency, reference=reference
        )

    def _withdraw(self, account: str, currency: str, amount: int, owner: str | None = None) -> Order:
        order = self._order("Withdraw", account_id=account, amount=amount, currency=currency, reference="")
        return replace(order, user_id=owner)

    def _transfer(self, source: str, target: str, amount: int, currency: str | None = None) -> Order:
        transfer = f"t{self.count + 1}"
        currency = currency or currency_of(source)
        order = self._order(
            "Transfer",
            **{"transfer_id": transfer, "from": source, "to": target, "amount": amount, "currency": currency},
        )
        return replace(order, user_id=self.random.choice([None, None, f"owner-of-{source}"]))

    def _account(self) -> str:
        """Some are much more in demand than others."""
        return self.opened[int(len(self.opened) * self.random.random() ** 3)]

    def _two_of_one_currency(self) -> tuple[str, str]:
        while True:
            source, target = self._account(), self._account()
            if source != target and currency_of(source) == currency_of(target):
                return source, target

    def _life_of_an_account(self) -> list[Order]:
        """Opened, used and closed, while a transfer to it is under way: it may come just in time, or too late."""
        account = f"short-{self.count}"
        self.short_lived.append(account)
        amount = self.random.randint(1, 500)
        owner = f"owner-of-{account}"
        life = [
            self._order("OpenAccount", account_id=account, owner_id=owner, currency="EUR"),
            self._deposit(account, "EUR", amount),
        ]
        transfers = [self._transfer(self._rich(), account, self.random.randint(1, 50)) for _ in range(2)]
        way_out = self._withdraw(account, "EUR", amount, owner)
        if self.random.random() < 0.5:
            # All of it is reserved for a moment, so the account cannot be closed until that has settled.
            way_out = self._transfer(account, self._rich(), amount)
        close = self._order("CloseAccount", account_id=account)
        order = self.random.choice([[*transfers, close], [transfers[0], close, transfers[1]], [close]])
        return [*life, way_out, *order, self._order("CloseAccount", account_id=account)]

    def _rich(self) -> str:
        """An account in EUR that many pay into."""
        while True:
            account = self._account()
            if currency_of(account) == "EUR":
                return account

    def _again(self) -> Order:
        """A command id that was used before, now and then with other content."""
        recent = min(JUST_SENT if self.random.random() < 0.6 else SENT, len(self.sent))
        order = self.sent[-self.random.randint(1, recent)]
        if "amount" in order.data and self.random.random() < 0.2:
            return replace(order, data={**order.data, "amount": 1})
        return order

    # -- what must be refused -------------------------------------------------------------------------

    def _refused(self) -> Order:
        pick = self.random.choice
        account, amount = self._account(), self.random.randint(1, 1_000)
        currency = currency_of(account)
        source, target = self._two_of_one_currency()
        gone = pick(self.short_lived) if self.short_lived else "nobody"
        whale = f"whale-{self.random.randrange(3)}"
        choices = [
            lambda: self._deposit("nobody", currency, amount),
            lambda: self._deposit(account, "CHF", amount),
            lambda: self._deposit(account, pick(BAD_CURRENCIES), pick([0, -1, -MOST - 1])),
            lambda: self._deposit(pick(BAD_IDS), currency, pick([amount, 0])),
            lambda: self._deposit(whale, "EUR", MOST),
            lambda: self._deposit(gone, "EUR", amount),
            lambda: self._withdraw(account, currency, MOST),
            lambda: self._withdraw(account, currency, amount, "a-stranger"),
            lambda: self._withdraw("nobody", pick(["EUR", "ZZZ"]), 0),
            lambda: self._withdraw(gone, "EUR", amount),
            lambda: self._order("OpenAccount", account_id=account, owner_id="thief", currency=currency),
            lambda: self._order(
                "OpenAccount", account_id="new", owner_id=pick(BAD_IDS), currency=pick(BAD_CURRENCIES)
            ),
            lambda: self._order("CloseAccount", account_id=account),
            lambda: self._order("CloseAccount", account_id=gone),
            lambda: self._transfer(source, source, amount),
            lambda: self._transfer(source, target, pick([0, -amount, MOST])),
            lambda: self._transfer(source, "nobody", amount),
            lambda: self._transfer("nobody", target, amount),
            lambda: self._transfer(self._rich(), whale, amount),
            lambda: self._transfer(self._rich(), gone, amount),
            lambda: self._transfer(gone, self._rich(), amount),
            lambda: self._transfer(source, target, amount, "CHF"),
            lambda: self._transfer(pick(BAD_IDS), pick(BAD_IDS), 0, "ZZZ"),
            lambda: self._transfer(source, self._account(), amount),
            lambda: replace(self._transfer(source, target, amount), user_id="a-stranger"),
            lambda: replace(self._deposit(account, currency, amount), expected_version=pick([0, 1, 7])),
            lambda: replace(
                self._deposit(account, currency, amount), astray=pick(["key", "no key", "partition"])
            ),
        ]
        return pick(choices)()


def currency_of(account: str) -> str:
    """Each account has the currency that its number says."""
    number = account.rpartition("-")[2]
    return CURRENCIES[int(number) % len(CURRENCIES)] if account.startswith("account-") else "EUR"
