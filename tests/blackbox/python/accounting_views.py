"""Accounting's views, as the model says they must be."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime

from accounting_log import Log
from accounting_model import Ledger
from client import Record
from differences import Differences
from views import Row, Tables, View, unlisted

# The columns that identify a row, and those compared beside them.
COLUMNS: dict[str, tuple[list[str], list[str]]] = {
    "account_balances": (
        ["account_id"],
        ["owner_id", "currency", "balance", "available", "status", "version"],
    ),
    "account_statements": (
        ["account_id", "version"],
        [
            "entry",
            "amount",
            "currency",
            "balance",
            "available",
            "reference",
            "transfer_id",
            "counterparty",
            "recorded_at",
        ],
    ),
    "daily_totals": (["day", "currency", "source_partition"], ["deposits", "withdrawals"]),
}
NO_ENTRIES = {"ReservationRefused", "CreditRefused"}
# The greatest total that a row can show.
MOST = 2**63 - 1


def read(tables: Tables, found: Differences) -> dict[str, View]:
    """Every view as it stands."""
    views: dict[str, View] = {}
    for table, (key, rest) in COLUMNS.items():
        view: View = {}
        for row in tables.rows(table, key + rest):
            place = tuple(row[: len(key)])
            found.check(place not in view, "view", f"{table}: two rows with the key {place}")
            view[place] = tuple(row[len(key) :])
        views[table] = view
    for words in unlisted(tables, "account_statements", "account_id"):
        found.check(False, "view", words)
    return views


def expected(log: Log) -> dict[str, View]:
    """Every view as the events say."""
    statements: View = {}
    totals: defaultdict[Row, Counter[str]] = defaultdict(Counter)
    ledger = Ledger()
    for event in log.events:
        value, data = event.value, event.data
        aggregate = str(value["aggregate_id"])
        ledger.apply(event.kind, aggregate, data)
        kind, account_id = aggregate.split("/", 1)
        if kind == "Account" and event.kind not in NO_ENTRIES:
            account = ledger.accounts[account_id]
            other = data.get("to") if data.get("from") == account_id else data.get("from")
            statements[account_id, value["version"]] = (
                event.kind,
                data.get("amount"),
                account.currency,
                account.balance,
                account.available,
                data.get("reference"),
                data.get("transfer_id"),
                other,
                value["recorded_at"],
            )
        if event.kind in ("MoneyDeposited", "MoneyWithdrawn"):
            name = "deposits" if event.kind == "MoneyDeposited" else "withdrawals"
            day = datetime.fromtimestamp(value["recorded_at"] // 1_000_000, UTC).strftime("%Y-%m-%d")
            totals[day, data["currency"], event.partition][name] += data["amount"]
    balances: View = {
        (account_id,): (
            account.owner,
            account.currency,
            account.balance,
            account.available,
            "CLOSED" if account.closed else "OPEN",
            ledger.versions[f"Account/{account_id}"],
        )
        for account_id, account in ledger.accounts.items()
    }
    days: View = {
        key: (min(total["deposits"], MOST), min(total["withdrawals"], MOST)) for key, total in totals.items()
    }
    return {"account_balances": balances, "account_statements": statements, "daily_totals": days}


def check_states(log: Log, ledger: Ledger, found: Differences) -> None:
    """The newest states are those of the newest events, and no process is open."""
    for aggregate, version in ledger.versions.items():
        state = log.states.get(aggregate)
        if not found.check(state is not None, "state", f"{aggregate} has none") or state is None:
            continue
        found.check(state["version"] == version, "state", f"{aggregate} at {state['version']}, not {version}")
        kind, id_ = aggregate.split("/", 1)
        if kind == "Account":
            found.check(is_same(state["account"], ledger, id_), "state", f"{aggregate} is {state}")
        else:
            step = ledger.transfers[id_]
            found.check(state["transfer"]["step"] == step, "state", f"{aggregate} is {state}, not {step}")
    for key, state in log.states.items():
        for kind in ("process", "dead_step", "parked_key", "repeats"):
            found.check(not (state and state.get(kind)), "open", f"{key}: {state}")
        if key.startswith(("Account/", "Transfer/")):
            found.check(key in ledger.versions or state is None, "state", f"{key} has one and no event: {state}")


def is_same(state: Record | None, ledger: Ledger, account_id: str) -> bool:
    """Whether an account's state is the model's; of one that is not there, only refusals have been written."""
    account = ledger.accounts.get(account_id)
    if account is None or state is None:
        return account is None and state is None
    reserved = {one["transfer_id"]: one["amount"] for one in state["reserved"]}
    is_ = (state["owner_id"], state["currency"], state["balance"], reserved, state["closed"])
    return bool(is_ == (account.owner, account.currency, account.balance, account.reserved, account.closed))
