"""A ledger so naive that it is obviously right: what must become of a command or a step, given what happened before.

It shares no code with the system. Messages are plain: a kind and a dictionary. A violation is a code and a field; what it
says to a person is the system's own business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from message import Fields

ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
# Those that the workload uses; which others there are is not asked here.
CURRENCIES = {"EUR", "USD", "JPY", "CHF"}
MOST = 2**63 - 1
# What an acting user may pay into somebody else's account at once.
MOST_FOR_ANOTHER = 10**15
Violations = list[tuple[str, str | None]]
TRANSFER = ("transfer_id", "from", "to", "amount", "currency")


@dataclass
class Account:
    """What is known of an account."""

    owner: str
    currency: str
    balance: int = 0
    reserved: dict[str, int] = field(default_factory=dict)
    closed: bool = False

    @property
    def available(self) -> int:
        """What its owner can dispose of."""
        return self.balance - sum(self.reserved.values())


@dataclass(frozen=True)
class Happened:
    """An event that must be there."""

    kind: str
    aggregate: str
    data: Fields
    # Of a refusal: why.
    violations: Violations = field(default_factory=list)


class Ledger:
    """All accounts and transfers after what has been applied so far."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.transfers: dict[str, str] = {}
        self.versions: dict[str, int] = {}

    # -- commands -------------------------------------------------------------------------------------

    def decide(self, kind: str, data: Fields, metadata: dict[str, Any]) -> Happened | Violations:
        """The event of a command, or everything that is wrong with it."""
        is_transfer = kind == "Transfer"
        aggregate = f"Transfer/{data['transfer_id']}" if is_transfer else f"Account/{data['account_id']}"
        expected = metadata.get("expected_version")
        if expected is not None and expected != self.versions.get(aggregate, 0):
            return [("VersionConflict", "metadata.expected_version")]
        violations: Violations = getattr(self, f"_{kind}")(data, metadata.get("user_id"))
        if violations:
            return violations
        event = {
            "OpenAccount": "AccountOpened",
            "Deposit": "MoneyDeposited",
            "Withdraw": "MoneyWithdrawn",
            "CloseAccount": "AccountClosed",
            "Transfer": "TransferRequested",
        }[kind]
        more = {"requested_by": metadata.get("user_id")} if is_transfer else {}
        return Happened(event, aggregate, {**data, **more})

    def _OpenAccount(self, data: Fields, actor: str | None) -> Violations:  # noqa: N802
        found = self._permitted(actor, data["owner_id"])
        is_permitted = not found
        if not ID.match(data["account_id"]):
            found.append(("InvalidArgument", "account_id"))
        elif is_permitted and data["account_id"] in self.accounts:
            found.append(("AlreadyExists", "account_id"))
        if not ID.match(data["owner_id"]):
            found.append(("InvalidArgument", "owner_id"))
        return found + self._known(data["currency"])

    def _Deposit(self, data: Fields, actor: str | None) -> Violations:  # noqa: N802
        found = self._account("account_id", data["account_id"])
        is_anothers = bool(self._owner(actor, data["account_id"]))
        if is_anothers and data["amount"] > MOST_FOR_ANOTHER:
            found.append(("Overflow", "amount"))
        elif data["amount"] <= 0:
            found.append(("InvalidArgument", "amount"))
        else:
            found += self._room(data)
        return found + self._currency(data["account_id"], data["currency"])

    def _Withdraw(self, data: Fields, actor: str | None) -> Violations:  # noqa: N802
        if stranger := self._owner(actor, data["account_id"]):
            # Of what is another's nothing is said that is not wrong with any account.
            wrong = [] if data["amount"] > 0 else [("InvalidArgument", "amount")]
            return stranger + wrong + self._known(data["currency"])
        found = self._account("account_id", data["account_id"])
        if data["amount"] <= 0:
            found.append(("InvalidArgument", "amount"))
        else:
            found += self._funds(data["account_id"], data["amount"])
        return found + self._currency(data["account_id"], data["currency"])

    def _CloseAccount(self, data: Fields, actor: str | None) -> Violations:  # noqa: N802
        if stranger := self._owner(actor, data["account_id"]):
            return stranger
        found = self._account("account_id", data["account_id"])
        account = self.accounts.get(data["account_id"])
        if account and (account.balance != 0 or account.reserved):
            found.append(("InvalidState", "account_id"))
        return found

    def _Transfer(self, data: Fields, actor: str | None) -> Violations:  # noqa: N802
        found: Violations = []
        if not ID.match(data["transfer_id"]):
            found.append(("InvalidArgument", "transfer_id"))
        elif data["transfer_id"] in self.transfers:
            found.append(("AlreadyExists", "transfer_id"))
        if not ID.match(data["from"]):
            found.append(("InvalidArgument", "from"))
        if not ID.match(data["to"]) or data["from"] == data["to"]:
            found.append(("InvalidArgument", "to"))
        if data["amount"] <= 0:
            found.append(("InvalidArgument", "amount"))
        elif actor is not None and data["amount"] > MOST_FOR_ANOTHER:
            found.append(("Overflow", "amount"))
        return found + self._known(data["currency"])

    # -- steps ----------------------------------------------------------------------------------------

    def step(self, kind: str, data: Fields) -> Happened | None:
        """The event of a step; nothing if it finds everything done."""
        plain = {name: data[name] for name in TRANSFER}
        source, target = f"Account/{data['from']}", f"Account/{data['to']}"
        transfer = f"Transfer/{data['transfer_id']}"
        match kind:
            case "ReserveFunds":
                wrong = self._refuses_to_reserve(data)
                return Happened("ReservationRefused" if wrong else "FundsReserved", source, plain, wrong)
            case "CreditTransfer":
                wrong = self._refuses_credit(data)
                return Happened("CreditRefused" if wrong else "TransferCredited", target, plain, wrong)
            case "SettleReservation":
                return Happened("ReservationSettled", source, plain) if self._has_reserved(data) else None
            case "ReleaseReservation":
                why = codes(data["violations"])
                return Happened("ReservationReleased", source, plain, why) if self._has_reserved(data) else None
        if self.transfers.get(data["transfer_id"]) != "REQUESTED":
            return None
        if kind == "CompleteTransfer":
            return Happened("TransferCompleted", transfer, plain)
        return Happened("TransferFailed", transfer, plain, codes(data["violations"]))

    def _refuses_to_reserve(self, data: Fields) -> Violations:
        if stranger := self._owner(data["requested_by"], data["from"]):
            return stranger + self._known(data["currency"])
        found = self._account("from", data["from"])
        found += self._funds(data["from"], data["amount"])
        return found + self._currency(data["from"], data["currency"])

    def _refuses_credit(self, data: Fields) -> Violations:
        found = self._account("to", data["to"]) + self._room({**data, "account_id": data["to"]})
        return found + self._currency(data["to"], data["currency"])

    def _has_reserved(self, data: Fields) -> bool:
        account = self.accounts.get(data["from"])
        return account is not None and data["transfer_id"] in account.reserved

    # -- rules ----------------------------------------------------------------------------------------

    @staticmethod
    def _permitted(actor: str | None, owner: str) -> Violations:
        return [] if actor in (None, owner) else [("NotPermitted", "metadata.user_id")]

    def _owner(self, actor: str | None, account_id: str) -> Violations:
        account = self.accounts.get(account_id)
        return [] if account is None else self._permitted(actor, account.owner)

    def _account(self, name: str, account_id: str) -> Violations:
        if not ID.match(account_id):
            return [("InvalidArgument", name)]
        account = self.accounts.get(account_id)
        if account is None:
            return [("NotFound", name)]
        return [("InvalidState", name)] if account.closed else []

    def _room(self, data: Fields) -> Violations:
        """What is of another currency cannot be added, so nobody asks."""
        account = self.accounts.get(data["account_id"])
        if account is None or account.currency != data["currency"]:
            return []
        return [("Overflow", "amount")] if account.balance + data["amount"] > MOST else []

    def _funds(self, account_id: str, amount: int) -> Violations:
        account = self.accounts.get(account_id)
        return [("InsufficientFunds", "amount")] if account and account.available < amount else []

    def _currency(self, account_id: str, currency: str) -> Violations:
        account = self.accounts.get(account_id)
        if account is None:
            return self._known(currency)
        return [] if account.currency == currency else [("InvalidArgument", "currency")]

    @staticmethod
    def _known(currency: str) -> Violations:
        return [] if currency in CURRENCIES else [("InvalidArgument", "currency")]

    # -- effects --------------------------------------------------------------------------------------

    def apply(self, kind: str, aggregate: str, data: Fields) -> None:
        """What an event changes."""
        self.versions[aggregate] = self.versions.get(aggregate, 0) + 1
        match kind:
            case "AccountOpened":
                self.accounts[data["account_id"]] = Account(data["owner_id"], data["currency"])
            case "MoneyDeposited":
                self.accounts[data["account_id"]].balance += data["amount"]
            case "MoneyWithdrawn":
                self.accounts[data["account_id"]].balance -= data["amount"]
            case "AccountClosed":
                self.accounts[data["account_id"]].closed = True
            case "FundsReserved":
                self.accounts[data["from"]].reserved[data["transfer_id"]] = data["amount"]
            case "TransferCredited":
                self.accounts[data["to"]].balance += data["amount"]
            case "ReservationSettled":
                self.accounts[data["from"]].balance -= data["amount"]
                del self.accounts[data["from"]].reserved[data["transfer_id"]]
            case "ReservationReleased":
                del self.accounts[data["from"]].reserved[data["transfer_id"]]
            case "TransferRequested":
                self.transfers[data["transfer_id"]] = "REQUESTED"
            case "TransferCompleted":
                self.transfers[data["transfer_id"]] = "COMPLETED"
            case "TransferFailed":
                self.transfers[data["transfer_id"]] = "FAILED"


# The step that each event of a transfer asks for, and the field that says where.
NEXT_STEP = {
    "TransferRequested": ("ReserveFunds", "from"),
    "FundsReserved": ("CreditTransfer", "to"),
    "TransferCredited": ("SettleReservation", "from"),
    "CreditRefused": ("ReleaseReservation", "from"),
    "ReservationSettled": ("CompleteTransfer", "transfer_id"),
    "ReservationReleased": ("FailTransfer", "transfer_id"),
    "ReservationRefused": ("FailTransfer", "transfer_id"),
}


def codes(violations: list[dict[str, Any]]) -> Violations:
    """Violations without their messages."""
    return [(violation["code"], violation["field"]) for violation in violations]
