//! The bank as a plain fold of events, and what its rules say: `domains.md` once more.

use std::collections::BTreeMap;

use millrace_domain_accounting::messages::commands::Transfer as TransferCommand;
use millrace_domain_accounting::messages::events::{
    AccountClosed, AccountOpened, CreditRefused, FundsReserved, MoneyDeposited, MoneyWithdrawn,
    ReservationRefused, ReservationReleased, ReservationSettled, TransferCompleted, TransferCredited,
    TransferFailed, TransferRequested,
};
use millrace_domain_accounting::messages::state::{Account, Reservation, Transfer};
use millrace_domain_accounting::{CommandData, EventData, State, StepData};
use millrace_kernel::{Command, Text, Violation};

use super::moved;
use crate::workload::Broken;

/// The currencies that producers use; all others are unknown.
const CURRENCIES: [&str; 2] = ["CHF", "EUR"];

/// What an acting user may pay into somebody else's account at once.
const MOST_FOR_ANOTHER: i64 = 1_000_000_000_000_000;

/// Everything there is.
#[derive(Default)]
pub struct Bank {
    accounts: BTreeMap<Text, Account>,
    transfers: BTreeMap<Text, Transfer>,
}

fn broken(code: &str, field: &str) -> Broken {
    (code.to_owned(), Some(field.to_owned()))
}

fn reserved(account: &Account) -> i128 {
    account.reserved.iter().map(|one| i128::from(one.amount)).sum()
}

fn available(account: &Account) -> i128 {
    i128::from(account.balance) - reserved(account)
}

/// What is of another currency cannot be added, so nobody asks.
fn fits(account: &Account, amount: i64, currency: &str) -> bool {
    account.currency != currency || i128::from(account.balance) + i128::from(amount) <= i128::from(i64::MAX)
}

impl Bank {
    pub fn decide(&self, command: &Command<CommandData>) -> Result<Vec<EventData>, Vec<Broken>> {
        let actor = command.metadata.user_id.as_deref();
        let is_not = |owner: &str| actor.is_some_and(|actor| actor != owner);
        let mut wrong = Vec::new();
        let event: EventData = match command.data.clone() {
            CommandData::OpenAccount(c) => {
                let is_anothers = is_not(&c.owner_id);
                if is_anothers {
                    wrong.push(broken("NotPermitted", "metadata.user_id"));
                }
                if !is_anothers && self.accounts.contains_key(&c.account_id) {
                    wrong.push(broken("AlreadyExists", "account_id"));
                }
                if !CURRENCIES.contains(&c.currency.as_str()) {
                    wrong.push(broken("InvalidArgument", "currency"));
                }
                AccountOpened { account_id: c.account_id, owner_id: c.owner_id, currency: c.currency }.into()
            }
            CommandData::Deposit(c) => {
                let account = self.accounts.get(&c.account_id);
                self.usable(&c.account_id, "account_id", &mut wrong);
                let is_anothers = account.is_some_and(|account| is_not(&account.owner_id));
                if c.amount <= 0 {
                    wrong.push(broken("InvalidArgument", "amount"));
                } else if (is_anothers && c.amount > MOST_FOR_ANOTHER)
                    || account.is_some_and(|account| !fits(account, c.amount, &c.currency))
                {
                    wrong.push(broken("Overflow", "amount"));
                }
                in_currency(account, &c.currency, &mut wrong);
                let (amount, currency, reference) = (c.amount, c.currency, c.reference);
                MoneyDeposited { account_id: c.account_id, amount, currency, reference }.into()
            }
            CommandData::Withdraw(c) => {
                let account = self.own(&c.account_id, "account_id", actor, &mut wrong);
                if c.amount <= 0 {
                    wrong.push(broken("InvalidArgument", "amount"));
                } else if account.is_some_and(|account| i128::from(c.amount) > available(account)) {
                    wrong.push(broken("InsufficientFunds", "amount"));
                }
                in_currency(account, &c.currency, &mut wrong);
                let (amount, currency, reference) = (c.amount, c.currency, c.reference);
                MoneyWithdrawn { account_id: c.account_id, amount, currency, reference }.into()
            }
            CommandData::CloseAccount(c) => {
                let account = self.own(&c.account_id, "account_id", actor, &mut wrong);
                if account.is_some_and(|account| account.balance != 0 || !account.reserved.is_empty()) {
                    wrong.push(broken("InvalidState", "account_id"));
                }
                AccountClosed { account_id: c.account_id }.into()
            }
            CommandData::Transfer(c) => self.request(c, actor, &mut wrong),
        };
        if wrong.is_empty() { Ok(vec![event]) } else { Err(wrong) }
    }

    fn request(&self, c: TransferCommand, actor: Option<&str>, wrong: &mut Vec<Broken>) -> EventData {
        if self.transfers.contains_key(&c.transfer_id) {
            wrong.push(broken("AlreadyExists", "transfer_id"));
        }
        if c.from == c.to {
            wrong.push(broken("InvalidArgument", "to"));
        }
        if c.amount <= 0 {
            wrong.push(broken("InvalidArgument", "amount"));
        } else if actor.is_some() && c.amount > MOST_FOR_ANOTHER {
            wrong.push(broken("Overflow", "amount"));
        }
        if !CURRENCIES.contains(&c.currency.as_str()) {
            wrong.push(broken("InvalidArgument", "currency"));
        }
        TransferRequested {
            transfer_id: c.transfer_id,
            from: c.from,
            to: c.to,
            amount: c.amount,
            currency: c.currency,
            requested_by: actor.map(Into::into),
        }
        .into()
    }

    /// The account must be there and open.
    fn usable(&self, account_id: &str, field: &str, wrong: &mut Vec<Broken>) {
        match self.accounts.get(account_id) {
            None => wrong.push(broken("NotFound", field)),
            Some(account) if account.closed => wrong.push(broken("InvalidState", field)),
            Some(_) => {}
        }
    }

    /// The account, which must be there, the actor's and open. Of another's nothing else is said.
    fn own(
        &self,
        account_id: &str,
        field: &str,
        actor: Option<&str>,
        wrong: &mut Vec<Broken>,
    ) -> Option<&Account> {
        let account = self.accounts.get(account_id);
        if account.is_some_and(|account| actor.is_some_and(|actor| actor != account.owner_id.as_str())) {
            wrong.push(broken("NotPermitted", "metadata.user_id"));
            return None;
        }
        self.usable(account_id, field, wrong);
        account
    }

    pub fn decide_step(&self, step: &StepData) -> Vec<EventData> {
        let has_reserved = |account: &str, transfer: &str| {
            let account = self.accounts.get(account);
            account.is_some_and(|account| account.reserved.iter().any(|one| one.transfer_id == transfer))
        };
        let is_open = |transfer: &str| self.transfers.get(transfer).is_some_and(|it| it.step == "REQUESTED");
        match step {
            StepData::ReserveFunds(s) => {
                let mut wrong = Vec::new();
                let account = self.own(&s.from, "from", s.requested_by.as_deref(), &mut wrong);
                if account.is_some_and(|account| i128::from(s.amount) > available(account)) {
                    wrong.push(broken("InsufficientFunds", "amount"));
                }
                in_currency(account, &s.currency, &mut wrong);
                if wrong.is_empty() {
                    return vec![moved!(FundsReserved, s).into()];
                }
                vec![refused(moved!(FundsReserved, s), wrong)]
            }
            StepData::CreditTransfer(s) => {
                let account = self.accounts.get(&s.to);
                let mut wrong = Vec::new();
                self.usable(&s.to, "to", &mut wrong);
                if account.is_some_and(|account| !fits(account, s.amount, &s.currency)) {
                    wrong.push(broken("Overflow", "amount"));
                }
                in_currency(account, &s.currency, &mut wrong);
                if wrong.is_empty() {
                    return vec![moved!(TransferCredited, s).into()];
                }
                let FundsReserved { transfer_id, from, to, amount, currency } = moved!(FundsReserved, s);
                let violations = violations(wrong);
                vec![CreditRefused { transfer_id, from, to, amount, currency, violations }.into()]
            }
            StepData::SettleReservation(s) if has_reserved(&s.from, &s.transfer_id) => {
                vec![moved!(ReservationSettled, s).into()]
            }
            StepData::ReleaseReservation(s) if has_reserved(&s.from, &s.transfer_id) => {
                vec![moved!(ReservationReleased, s, violations).into()]
            }
            StepData::CompleteTransfer(s) if is_open(&s.transfer_id) => {
                vec![moved!(TransferCompleted, s).into()]
            }
            StepData::FailTransfer(s) if is_open(&s.transfer_id) => {
                vec![moved!(TransferFailed, s, violations).into()]
            }
            _ => Vec::new(),
        }
    }

    pub fn apply(&mut self, event: &EventData) {
        match event.clone() {
            EventData::AccountOpened(e) => {
                let (owner_id, currency) = (e.owner_id, e.currency);
                let account = Account { owner_id, currency, balance: 0, reserved: Vec::new(), closed: false };
                self.accounts.insert(e.account_id, account);
            }
            EventData::MoneyDeposited(e) => self.add(&e.account_id, e.amount),
            EventData::MoneyWithdrawn(e) => self.add(&e.account_id, -e.amount),
            EventData::AccountClosed(e) => {
                self.accounts.entry(e.account_id).and_modify(|account| account.closed = true);
            }
            EventData::FundsReserved(e) => {
                let reservation = Reservation { transfer_id: e.transfer_id, amount: e.amount };
                self.accounts.entry(e.from).and_modify(|account| account.reserved.push(reservation));
            }
            EventData::TransferCredited(e) => self.add(&e.to, e.amount),
            EventData::ReservationSettled(e) => {
                self.add(&e.from, -e.amount);
                self.release(&e.from, &e.transfer_id);
            }
            EventData::ReservationReleased(e) => self.release(&e.from, &e.transfer_id),
            EventData::TransferRequested(e) => {
                let (from, to, amount, currency) = (e.from, e.to, e.amount, e.currency);
                let transfer = Transfer { from, to, amount, currency, step: "REQUESTED".into() };
                self.transfers.insert(e.transfer_id, transfer);
            }
            EventData::TransferCompleted(e) => self.end(&e.transfer_id, "COMPLETED"),
            EventData::TransferFailed(e) => self.end(&e.transfer_id, "FAILED"),
            EventData::ReservationRefused(_) | EventData::CreditRefused(_) => {}
        }
    }

    fn add(&mut self, account_id: &str, amount: i64) {
        if let Some(account) = self.accounts.get_mut(account_id) {
            account.balance += amount;
        }
    }

    fn release(&mut self, account_id: &str, transfer_id: &str) {
        if let Some(account) = self.accounts.get_mut(account_id) {
            account.reserved.retain(|one| one.transfer_id != transfer_id);
        }
    }

    fn end(&mut self, transfer_id: &str, step: &str) {
        if let Some(transfer) = self.transfers.get_mut(transfer_id) {
            transfer.step = step.into();
        }
    }

    pub fn state(&self, aggregate_id: &str) -> Option<State> {
        match aggregate_id.split_once('/')? {
            ("Account", id) => Some(State::Account(self.accounts.get(id)?.clone())),
            ("Transfer", id) => Some(State::Transfer(self.transfers.get(id)?.clone())),
            _ => None,
        }
    }
}

fn in_currency(account: Option<&Account>, currency: &str, wrong: &mut Vec<Broken>) {
    let is_right = match account {
        Some(account) => account.currency == currency,
        None => CURRENCIES.contains(&currency),
    };
    if !is_right {
        wrong.push(broken("InvalidArgument", "currency"));
    }
}

fn refused(of: FundsReserved, wrong: Vec<Broken>) -> EventData {
    let FundsReserved { transfer_id, from, to, amount, currency } = of;
    ReservationRefused { transfer_id, from, to, amount, currency, violations: violations(wrong) }.into()
}

fn violations(wrong: Vec<Broken>) -> Vec<Violation> {
    let violation = |(code, field): Broken| Violation { code, message: String::new(), field };
    wrong.into_iter().map(violation).collect()
}
