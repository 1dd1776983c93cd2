//! The tables of accounting as a plain fold of events.

use std::collections::BTreeMap;

use millrace_domain_accounting::EventData;
use millrace_kernel::{Event, Named, Text, Value};

use crate::workload::Place;

/// What rows say of an account.
#[derive(Clone)]
struct Account {
    owner_id: Text,
    currency: Text,
    balance: i128,
    reserved: i128,
    status: &'static str,
}

/// Everything that rows are made of.
#[derive(Clone, Default)]
pub struct Rows {
    rows: BTreeMap<Place, Vec<Value>>,
    accounts: BTreeMap<Text, Account>,
    totals: BTreeMap<(Text, Text, i32), (i128, i128)>,
}

/// What an entry of a statement says beside the account's own figures.
struct Entry {
    amount: Option<i64>,
    reference: Option<Text>,
    transfer_id: Option<Text>,
    counterparty: Option<Text>,
}

fn number(value: i128) -> Value {
    Value::BigInt(i64::try_from(value).unwrap_or(i64::MAX))
}

fn text(value: &str) -> Value {
    Value::from(value)
}

/// The UTC day of a time, by counting days from 2023-11-01: histories begin in that month.
fn day(recorded_at: i64) -> Text {
    const NOVEMBER: i64 = 1_698_796_800_000_000;
    let days = (recorded_at - NOVEMBER).div_euclid(86_400_000_000);
    match days {
        0..30 => (format!("2023-11-{:02}", days + 1)).into(),
        30..61 => format!("2023-12-{:02}", days - 29).into(),
        other => format!("{other} days after 2023-11-01").into(),
    }
}

impl Rows {
    /// The row at a place.
    pub fn row(&self, place: &Place) -> Option<Vec<Value>> {
        self.rows.get(place).cloned()
    }

    fn put(&mut self, table: &'static str, key: Vec<Value>, rest: Vec<Value>) -> Place {
        let place = (table, key);
        let row = place.1.iter().cloned().chain(rest).collect();
        self.rows.insert(place.clone(), row);
        place
    }

    /// Takes in an event; the places it may have changed.
    pub fn fold(&mut self, partition: i32, event: &Event<EventData>) -> Vec<Place> {
        let mut places = Vec::new();
        let cash = match &event.data {
            EventData::MoneyDeposited(e) => Some((&e.currency, i128::from(e.amount), 0)),
            EventData::MoneyWithdrawn(e) => Some((&e.currency, 0, i128::from(e.amount))),
            _ => None,
        };
        if let Some((currency, paid_in, paid_out)) = cash {
            let key = (day(event.recorded_at), currency.clone(), partition);
            let sums = self.totals.entry(key.clone()).or_default();
            sums.0 += paid_in;
            sums.1 += paid_out;
            let rest = vec![number(sums.0), number(sums.1)];
            places.push(self.put("daily_totals", vec![text(&key.0), text(&key.1), partition.into()], rest));
        }
        if let EventData::AccountOpened(e) = &event.data {
            let (owner_id, currency) = (e.owner_id.clone(), e.currency.clone());
            let account = Account { owner_id, currency, balance: 0, reserved: 0, status: "OPEN" };
            self.accounts.insert(e.account_id.clone(), account);
        }
        let plain = || Entry { amount: None, reference: None, transfer_id: None, counterparty: None };
        let moved = |transfer: &str, amount: i64, other: &str| Entry {
            amount: Some(amount),
            transfer_id: Some(transfer.into()),
            counterparty: Some(other.into()),
            reference: None,
        };
        let paid = |amount: i64, reference: &str| Entry {
            amount: Some(amount),
            reference: Some(reference.into()),
            ..plain()
        };
        // the account, by how much its balance and what is reserved change, and its entry
        let (id, balance, reserved, entry) = match &event.data {
            EventData::AccountOpened(e) => (&e.account_id, 0, 0, Some(plain())),
            EventData::AccountClosed(e) => (&e.account_id, 0, 0, Some(plain())),
            EventData::MoneyDeposited(e) => (&e.account_id, e.amount, 0, Some(paid(e.amount, &e.reference))),
            EventData::MoneyWithdrawn(e) => (&e.account_id, -e.amount, 0, Some(paid(e.amount, &e.reference))),
            EventData::FundsReserved(e) => {
                (&e.from, 0, e.amount, Some(moved(&e.transfer_id, e.amount, &e.to)))
            }
            EventData::TransferCredited(e) => {
                (&e.to, e.amount, 0, Some(moved(&e.transfer_id, e.amount, &e.from)))
            }
            EventData::ReservationSettled(e) => {
                (&e.from, -e.amount, -e.amount, Some(moved(&e.transfer_id, e.amount, &e.to)))
            }
            EventData::ReservationReleased(e) => {
                (&e.from, 0, -e.amount, Some(moved(&e.transfer_id, e.amount, &e.to)))
            }
            EventData::ReservationRefused(e) => (&e.from, 0, 0, None),
            EventData::CreditRefused(e) => (&e.to, 0, 0, None),
            EventData::TransferRequested(_)
            | EventData::TransferCompleted(_)
            | EventData::TransferFailed(_) => return places,
        };
        let Some(account) = self.accounts.get_mut(id) else { return places };
        account.balance += i128::from(balance);
        account.reserved += i128::from(reserved);
        if matches!(event.data, EventData::AccountClosed(_)) {
            account.status = "CLOSED";
        }
        let account = account.clone();
        let (balance, available) = (number(account.balance), number(account.balance - account.reserved));
        let rest = vec![
            text(&account.owner_id),
            text(&account.currency),
            balance.clone(),
            available.clone(),
            text(account.status),
            event.version.into(),
        ];
        places.push(self.put("account_balances", vec![text(id)], rest));
        if let Some(entry) = entry {
            let rest = vec![
                text(event.data.name()),
                entry.amount.into(),
                text(&account.currency),
                balance,
                available,
                entry.reference.into(),
                entry.transfer_id.into(),
                entry.counterparty.into(),
                event.recorded_at.into(),
            ];
            places.push(self.put("account_statements", vec![text(id), event.version.into()], rest));
        }
        places
    }
}
