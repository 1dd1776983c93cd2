//! Short names for messages, so that tables of tests read well.

pub mod bank;

use millrace_domain_accounting::messages::{CommandData, EventData, StepData, commands, events, steps};
use millrace_kernel::{Text, Violation};
use millrace_testkit::world::Answer;

pub fn open(account_id: &str, owner_id: &str, currency: &str) -> CommandData {
    let (account_id, owner_id, currency) = (account_id.into(), owner_id.into(), currency.into());
    commands::OpenAccount { account_id, owner_id, currency }.into()
}

pub fn deposit(account_id: &str, amount: i64, currency: &str) -> CommandData {
    let (account_id, currency) = (account_id.into(), currency.into());
    commands::Deposit { account_id, amount, currency, reference: "in".into() }.into()
}

pub fn deposit_for(account_id: &str, amount: i64, reference: &str) -> CommandData {
    let (account_id, reference) = (account_id.into(), reference.into());
    commands::Deposit { account_id, amount, currency: "EUR".into(), reference }.into()
}

pub fn withdraw_for(account_id: &str, amount: i64, reference: &str) -> CommandData {
    let (account_id, reference) = (account_id.into(), reference.into());
    commands::Withdraw { account_id, amount, currency: "EUR".into(), reference }.into()
}

pub fn withdraw(account_id: &str, amount: i64, currency: &str) -> CommandData {
    let (account_id, currency) = (account_id.into(), currency.into());
    commands::Withdraw { account_id, amount, currency, reference: "out".into() }.into()
}

pub fn transfer(transfer_id: &str, from: &str, to: &str, amount: i64, currency: &str) -> CommandData {
    let (transfer_id, from, to) = (transfer_id.into(), from.into(), to.into());
    commands::Transfer { transfer_id, from, to, amount, currency: currency.into() }.into()
}

pub fn close(account_id: &str) -> CommandData {
    commands::CloseAccount { account_id: account_id.into() }.into()
}

pub fn opened(account_id: &str, owner_id: &str, currency: &str) -> EventData {
    let (account_id, owner_id, currency) = (account_id.into(), owner_id.into(), currency.into());
    events::AccountOpened { account_id, owner_id, currency }.into()
}

pub fn deposited(account_id: &str, amount: i64, currency: &str) -> EventData {
    let (account_id, currency) = (account_id.into(), currency.into());
    events::MoneyDeposited { account_id, amount, currency, reference: "in".into() }.into()
}

pub fn withdrawn(account_id: &str, amount: i64, currency: &str) -> EventData {
    let (account_id, currency) = (account_id.into(), currency.into());
    events::MoneyWithdrawn { account_id, amount, currency, reference: "out".into() }.into()
}

pub fn closed(account_id: &str) -> EventData {
    events::AccountClosed { account_id: account_id.into() }.into()
}

/// The messages of one transfer, which all carry the same.
#[derive(Clone, Debug)]
pub struct Moving {
    pub transfer_id: Text,
    pub from: Text,
    pub to: Text,
    pub amount: i64,
    pub currency: Text,
}

/// Of `amount` EUR.
pub fn moving(transfer_id: &str, from: &str, to: &str, amount: i64) -> Moving {
    let (transfer_id, from, to) = (transfer_id.into(), from.into(), to.into());
    Moving { transfer_id, from, to, amount, currency: "EUR".into() }
}

/// The message of that name, with the fields of a transfer and some more.
macro_rules! message {
    ($of:expr, $module:ident :: $name:ident $(, $field:ident: $value:expr)*) => {{
        let Moving { transfer_id, from, to, amount, currency } = $of.clone();
        $module::$name { transfer_id, from, to, amount, currency $(, $field: $value)* }.into()
    }};
}

impl Moving {
    pub fn in_currency(self, currency: &str) -> Self {
        Self { currency: currency.into(), ..self }
    }
    pub fn requested(&self, by: Option<&str>) -> EventData {
        message!(self, events::TransferRequested, requested_by: by.map(Into::into))
    }
    pub fn reserved(&self) -> EventData {
        message!(self, events::FundsReserved)
    }
    pub fn credited(&self) -> EventData {
        message!(self, events::TransferCredited)
    }
    pub fn settled(&self) -> EventData {
        message!(self, events::ReservationSettled)
    }
    pub fn released(&self, violations: Vec<Violation>) -> EventData {
        message!(self, events::ReservationReleased, violations: violations)
    }
    pub fn completed(&self) -> EventData {
        message!(self, events::TransferCompleted)
    }
    pub fn failed(&self, violations: Vec<Violation>) -> EventData {
        message!(self, events::TransferFailed, violations: violations)
    }
    pub fn reserve(&self, by: Option<&str>) -> StepData {
        message!(self, steps::ReserveFunds, requested_by: by.map(Into::into))
    }
    pub fn credit(&self) -> StepData {
        message!(self, steps::CreditTransfer)
    }
    pub fn settle(&self) -> StepData {
        message!(self, steps::SettleReservation)
    }
    pub fn release(&self, violations: Vec<Violation>) -> StepData {
        message!(self, steps::ReleaseReservation, violations: violations)
    }
    pub fn complete(&self) -> StepData {
        message!(self, steps::CompleteTransfer)
    }
    pub fn fail(&self, violations: Vec<Violation>) -> StepData {
        message!(self, steps::FailTransfer, violations: violations)
    }
}

/// A reason to put into a message, where any does.
pub fn reason() -> Vec<Violation> {
    vec![Violation::on("NotFound", "to", "there is no account zoe; open it first")]
}

/// The violations of a refused command or step, as (code, field).
pub fn pairs(violations: &[Violation]) -> Vec<(&str, &str)> {
    violations.iter().map(|v| (v.code.as_str(), v.field.as_deref().unwrap_or_default())).collect()
}

/// The reasons of a refusal; none when accepted.
pub fn reasons(answer: &Answer) -> Vec<(&str, &str)> {
    match answer {
        Answer::Accepted => Vec::new(),
        Answer::Rejected(violations) => pairs(violations),
    }
}
