//! Accounting under simulation: few accounts and much traffic between them, closings in the middle, amounts that
//! overflow, and the equation of money in every cut.

mod ledger;
mod model;
mod producer;
mod rows;

use millrace_domain_accounting::messages::commands::Withdraw;
use millrace_domain_accounting::messages::steps::{
    CompleteTransfer, CreditTransfer, FailTransfer, ReleaseReservation, ReserveFunds, SettleReservation,
};
use millrace_domain_accounting::{Accounting, CommandData, EventData, State, StepData};
use millrace_kernel::{Command, Event, Metadata, NoSettings, Value, Violation};

use crate::dice::Dice;
use crate::neighbours::Neighbours;
use crate::oracle::world::{Failure, Seen, World};
use crate::workload::{Around, Ask, Broken, Next, Place, Workload};

/// The workload.
pub struct AccountingWorkload;

/// Names and amounts of a transfer, which all its messages carry.
macro_rules! moved {
    ($to:ident, $from:expr) => {
        $to {
            transfer_id: $from.transfer_id.clone(),
            from: $from.from.clone(),
            to: $from.to.clone(),
            amount: $from.amount,
            currency: $from.currency.clone(),
        }
    };
    ($to:ident, $from:expr, $($more:ident),+) => {
        $to {
            transfer_id: $from.transfer_id.clone(),
            from: $from.from.clone(),
            to: $from.to.clone(),
            amount: $from.amount,
            currency: $from.currency.clone(),
            $($more: $from.$more.clone(),)+
        }
    };
}
use moved;

impl Workload for AccountingWorkload {
    type CommandData = CommandData;
    type StepData = StepData;
    type EventData = EventData;
    type State = State;
    type Settings = NoSettings;
    type Domain = Accounting;
    type Producer = producer::Producer;
    type Model = model::Bank;
    type Rows = rows::Rows;

    const NAME: &'static str = "accounting";

    fn settings(_: &mut Dice) -> NoSettings {
        NoSettings::default()
    }

    fn producer(dice: &mut Dice) -> producer::Producer {
        producer::Producer::new(dice)
    }

    fn command(producer: &mut producer::Producer, dice: &mut Dice, n: usize) -> Command<CommandData> {
        producer.command(dice, n)
    }

    fn introduce(_: usize) -> Option<CommandData> {
        None
    }

    fn stray(key: &str) -> Option<CommandData> {
        let (account_id, currency) = (key.to_owned(), "EUR".to_owned());
        Some(
            Withdraw {
                account_id: account_id.into(),
                amount: 1,
                currency: currency.into(),
                reference: "stray".into(),
            }
            .into(),
        )
    }

    fn probe(
        seen: &Seen<Self>,
        _: &Neighbours<StepData>,
        _: &NoSettings,
        _: &mut Dice,
    ) -> Option<Ask<CommandData>> {
        // who has just been paid spends it at once
        let events = seen.partitions.iter().flat_map(|partition| &partition.events);
        let newest = events.filter_map(|(_, event)| match &event.data {
            EventData::TransferCredited(e) => Some((event.recorded_at, e)),
            _ => None,
        });
        let (_, paid) = newest.max_by_key(|(at, _)| *at)?;
        let (account_id, amount, currency) = (paid.to.clone(), paid.amount, paid.currency.clone());
        let spend = Withdraw { account_id, amount, currency, reference: "spent".into() };
        Some((Metadata::default(), spend.into()))
    }

    fn routing_key(command: &CommandData) -> &str {
        match command {
            CommandData::OpenAccount(c) => &c.account_id,
            CommandData::Deposit(c) => &c.account_id,
            CommandData::Withdraw(c) => &c.account_id,
            CommandData::CloseAccount(c) => &c.account_id,
            CommandData::Transfer(c) => &c.transfer_id,
        }
    }

    fn failure(command: &CommandData) -> Option<&'static str> {
        match command {
            CommandData::Withdraw(_) => Some("WithdrawalFailed"),
            CommandData::Transfer(_) => Some("TransferFailed"),
            _ => None,
        }
    }

    fn step_key(step: &StepData) -> String {
        match step {
            StepData::ReserveFunds(s) => s.from.to_string(),
            StepData::CreditTransfer(s) => s.to.to_string(),
            StepData::SettleReservation(s) => s.from.to_string(),
            StepData::ReleaseReservation(s) => s.from.to_string(),
            StepData::CompleteTransfer(s) => s.transfer_id.to_string(),
            StepData::FailTransfer(s) => s.transfer_id.to_string(),
        }
    }

    fn aggregate(event: &EventData) -> String {
        let account = |id: &str| format!("Account/{id}");
        let transfer = |id: &str| format!("Transfer/{id}");
        match event {
            EventData::AccountOpened(e) => account(&e.account_id),
            EventData::MoneyDeposited(e) => account(&e.account_id),
            EventData::MoneyWithdrawn(e) => account(&e.account_id),
            EventData::AccountClosed(e) => account(&e.account_id),
            EventData::FundsReserved(e) => account(&e.from),
            EventData::ReservationRefused(e) => account(&e.from),
            EventData::TransferCredited(e) => account(&e.to),
            EventData::CreditRefused(e) => account(&e.to),
            EventData::ReservationSettled(e) => account(&e.from),
            EventData::ReservationReleased(e) => account(&e.from),
            EventData::TransferRequested(e) => transfer(&e.transfer_id),
            EventData::TransferCompleted(e) => transfer(&e.transfer_id),
            EventData::TransferFailed(e) => transfer(&e.transfer_id),
        }
    }

    fn target(command: &CommandData) -> String {
        match command {
            CommandData::Transfer(c) => format!("Transfer/{}", c.transfer_id),
            other => format!("Account/{}", Self::routing_key(other)),
        }
    }

    fn decide(
        model: &model::Bank,
        command: &Command<CommandData>,
        _: &dyn Around,
    ) -> Result<Vec<EventData>, Vec<Broken>> {
        model.decide(command)
    }

    fn decide_step(model: &model::Bank, step: &StepData) -> Vec<EventData> {
        model.decide_step(step)
    }

    fn apply(model: &mut model::Bank, event: &Event<EventData>) {
        model.apply(&event.data);
    }

    fn next(event: &EventData) -> Next<StepData> {
        let step = match event {
            EventData::TransferRequested(e) => moved!(ReserveFunds, e, requested_by).into(),
            EventData::FundsReserved(e) => moved!(CreditTransfer, e).into(),
            EventData::TransferCredited(e) => moved!(SettleReservation, e).into(),
            EventData::CreditRefused(e) => moved!(ReleaseReservation, e, violations).into(),
            EventData::ReservationSettled(e) => moved!(CompleteTransfer, e).into(),
            EventData::ReservationReleased(e) => moved!(FailTransfer, e, violations).into(),
            EventData::ReservationRefused(e) => moved!(FailTransfer, e, violations).into(),
            EventData::TransferCompleted(_) => return Next::Accepted,
            EventData::TransferFailed(e) => {
                return Next::Rejected(
                    e.violations.iter().map(|v| (v.code.clone(), v.field.clone())).collect(),
                );
            }
            _ => return Next::Nothing,
        };
        Next::Steps(vec![step])
    }

    fn state(model: &model::Bank, aggregate_id: &str) -> Option<State> {
        model.state(aggregate_id)
    }

    fn made_known(_: &EventData) -> Option<String> {
        None
    }

    fn blur(event: &mut EventData) {
        match event {
            EventData::ReservationRefused(e) => no_words(&mut e.violations),
            EventData::CreditRefused(e) => no_words(&mut e.violations),
            EventData::ReservationReleased(e) => no_words(&mut e.violations),
            EventData::TransferFailed(e) => no_words(&mut e.violations),
            _ => {}
        }
    }

    fn blur_step(step: &mut StepData) {
        match step {
            StepData::ReleaseReservation(s) => no_words(&mut s.violations),
            StepData::FailTransfer(s) => no_words(&mut s.violations),
            _ => {}
        }
    }

    fn families() -> &'static [(&'static str, &'static [&'static str])] {
        &[
            ("accounting.accounts", &["account_balances", "account_statements"]),
            ("accounting.totals", &["daily_totals"]),
        ]
    }

    fn fold(rows: &mut rows::Rows, _: &NoSettings, partition: i32, event: &Event<EventData>) -> Vec<Place> {
        rows.fold(partition, event)
    }

    fn row(rows: &rows::Rows, place: &Place) -> Option<Vec<Value>> {
        rows.row(place)
    }

    fn look(world: &World<'_, Self>, dice: &mut Dice) -> Result<u64, Failure> {
        ledger::in_any_cut(world, dice, 2).map(|()| 0)
    }

    fn judge(world: &World<'_, Self>, dice: &mut Dice) -> Result<u64, Failure> {
        ledger::in_any_cut(world, dice, 8)?;
        ledger::at_rest(world).map(|()| 0)
    }
}

fn no_words(violations: &mut [Violation]) {
    violations.iter_mut().for_each(|violation| violation.message.clear());
}
