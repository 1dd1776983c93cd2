//! Projection `accounts`: what is in an account now, and how it came about.
//!
//! An account's events are all in one partition, so its balance is a fold of what the
//! projector of that partition sees; of transfers it needs to know nothing, as every event
//! carries its amount. An *entry* of a statement is what moves or holds money, and the
//! opening and closing. A refused step is none: nothing has changed but the version, which
//! only `account_balances` shows.

use std::sync::Arc;

use millrace_kernel::{BUCKET_ROWS, Event, KeyedProjector, Named, Projection, Rows, keyed};
use serde::{Deserialize, Serialize};

use crate::messages::EventData;
use crate::messages::rows::{AccountBalancesRow, AccountStatementsBucketsRow, AccountStatementsRow};

/// `account_balances.status` of an account that can be used.
pub const OPEN: &str = "OPEN";
/// `account_balances.status` of an account that is closed for good.
pub const CLOSED: &str = "CLOSED";

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "accounts",
        views: &[AccountBalancesRow::TABLE, AccountStatementsRow::TABLE, AccountStatementsBucketsRow::TABLE],
        revision: "2".to_owned(),
        projector: Box::new(|_| keyed(Accounts)),
    }
}

/// Knows of every account what its rows show.
struct Accounts;

/// Entries by hundreds: entries are never deleted, so the version alone says where one is.
fn bucket(version: i64) -> i64 {
    version - version.rem_euclid(i64::from(BUCKET_ROWS))
}

/// What rows need of an account.
#[derive(Serialize, Deserialize)]
struct Account {
    account_id: Arc<str>,
    owner_id: Arc<str>,
    currency: Arc<str>,
    balance: i64,
    reserved: i64,
    is_closed: bool,
    /// The bucket of the newest entry, and whether that is the first one in it.
    bucket: i64,
    begins_bucket: bool,
}

/// What an entry says beside the account's own figures.
#[derive(Default)]
struct Entry<'a> {
    name: &'static str,
    amount: Option<i64>,
    reference: Option<&'a str>,
    transfer_id: Option<&'a str>,
    counterparty: Option<&'a str>,
}

impl KeyedProjector<EventData> for Accounts {
    type State = Account;

    fn key<'e>(&self, event: &'e Event<EventData>) -> Option<&'e str> {
        read(&event.data).map(|(account_id, _)| account_id)
    }

    fn evolve(&self, account: Option<Account>, event: &Event<EventData>) -> Option<Account> {
        if let EventData::AccountOpened(e) = &event.data {
            return Some(Account {
                account_id: e.account_id.as_str().into(),
                owner_id: e.owner_id.as_str().into(),
                currency: e.currency.as_str().into(),
                balance: 0,
                reserved: 0,
                is_closed: false,
                bucket: bucket(event.version),
                begins_bucket: true,
            });
        }
        // a step refused because there is no such account is an event of one all the same
        let mut account = account?;
        account.take(&event.data);
        if let Some((_, Some(_))) = read(&event.data) {
            let bucket = bucket(event.version);
            account.begins_bucket = bucket != account.bucket;
            account.bucket = bucket;
        }
        Some(account)
    }

    fn apply(&self, account: &Account, event: &Event<EventData>, rows: &mut Rows<'_>) {
        rows.push(account.row(event.version).put(event.recorded_at));
        if let Some((_, Some(entry))) = read(&event.data) {
            rows.push(account.entry(event, &entry).put(event.recorded_at));
            if account.begins_bucket {
                let (account_id, bucket) = (account.account_id.clone(), account.bucket);
                rows.push(AccountStatementsBucketsRow { account_id, bucket }.put(event.recorded_at));
            }
        }
    }
}

impl Account {
    /// Folds an event in. As in the state, nothing here can overflow.
    fn take(&mut self, event: &EventData) {
        match event {
            EventData::MoneyDeposited(e) => self.balance = self.balance.saturating_add(e.amount),
            EventData::MoneyWithdrawn(e) => self.balance = self.balance.saturating_sub(e.amount),
            EventData::AccountClosed(_) => self.is_closed = true,
            EventData::FundsReserved(e) => self.reserved = self.reserved.saturating_add(e.amount),
            EventData::TransferCredited(e) => self.balance = self.balance.saturating_add(e.amount),
            EventData::ReservationSettled(e) => {
                self.reserved = self.reserved.saturating_sub(e.amount);
                self.balance = self.balance.saturating_sub(e.amount);
            }
            EventData::ReservationReleased(e) => self.reserved = self.reserved.saturating_sub(e.amount),
            _ => {}
        }
    }

    fn available(&self) -> i64 {
        self.balance.saturating_sub(self.reserved)
    }

    fn row(&self, version: i64) -> AccountBalancesRow {
        AccountBalancesRow {
            account_id: self.account_id.clone(),
            owner_id: self.owner_id.clone(),
            currency: self.currency.clone(),
            balance: self.balance,
            available: self.available(),
            status: if self.is_closed { CLOSED } else { OPEN }.into(),
            version,
        }
    }

    fn entry(&self, event: &Event<EventData>, entry: &Entry<'_>) -> AccountStatementsRow {
        AccountStatementsRow {
            account_id: self.account_id.clone(),
            bucket: self.bucket,
            version: event.version,
            entry: entry.name.into(),
            amount: entry.amount,
            currency: self.currency.clone(),
            balance: self.balance,
            available: self.available(),
            reference: entry.reference.map(Into::into),
            transfer_id: entry.transfer_id.map(Into::into),
            counterparty: entry.counterparty.map(Into::into),
            recorded_at: event.recorded_at,
        }
    }
}

/// The account an event is about, and what it says in a statement, if it is an entry.
fn read(event: &EventData) -> Option<(&str, Option<Entry<'_>>)> {
    let of_transfer = |transfer_id, amount, counterparty| Entry {
        name: event.name(),
        amount: Some(amount),
        transfer_id: Some(transfer_id),
        counterparty: Some(counterparty),
        ..Entry::default()
    };
    let of_cash = |amount, reference| Entry {
        name: event.name(),
        amount: Some(amount),
        reference: Some(reference),
        ..Entry::default()
    };
    let plain = || Entry { name: event.name(), ..Entry::default() };
    Some(match event {
        EventData::AccountOpened(e) => (&e.account_id, Some(plain())),
        EventData::AccountClosed(e) => (&e.account_id, Some(plain())),
        EventData::MoneyDeposited(e) => (&e.account_id, Some(of_cash(e.amount, e.reference.as_str()))),
        EventData::MoneyWithdrawn(e) => (&e.account_id, Some(of_cash(e.amount, e.reference.as_str()))),
        EventData::FundsReserved(e) => {
            (&e.from, Some(of_transfer(e.transfer_id.as_str(), e.amount, e.to.as_str())))
        }
        EventData::ReservationSettled(e) => {
            (&e.from, Some(of_transfer(e.transfer_id.as_str(), e.amount, e.to.as_str())))
        }
        EventData::ReservationReleased(e) => {
            (&e.from, Some(of_transfer(e.transfer_id.as_str(), e.amount, e.to.as_str())))
        }
        EventData::TransferCredited(e) => {
            (&e.to, Some(of_transfer(e.transfer_id.as_str(), e.amount, e.from.as_str())))
        }
        EventData::ReservationRefused(e) => (&e.from, None),
        EventData::CreditRefused(e) => (&e.to, None),
        EventData::TransferRequested(_) | EventData::TransferCompleted(_) | EventData::TransferFailed(_) => {
            return None;
        }
    })
}
