//! Account: whose it is, what is in it, and what of that is set aside.
//!
//! A transfer touches an account by steps. At `from`: [`reserve`], then [`settle`] or
//! [`release`]. At `to`: [`credit`]. Money that is reserved is still in the balance, but not
//! available, and keeps the account from being closed.

use std::sync::Arc;

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, LIMIT_REACHED, NOT_FOUND};
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation};

use crate::messages::EventData;
use crate::messages::commands::{CloseAccount, Deposit, OpenAccount, Withdraw};
use crate::messages::events::{
    AccountClosed, AccountOpened, CreditRefused, FundsReserved, MoneyDeposited, MoneyWithdrawn,
    ReservationRefused, ReservationReleased, ReservationSettled, TransferCredited,
};
use crate::messages::state::{Account, Reservation, State};
use crate::messages::steps::{CreditTransfer, ReleaseReservation, ReserveFunds, SettleReservation};

use crate::rules::codes::{INSUFFICIENT_FUNDS, OVERFLOW};
use crate::{currency, rules};

/// The kind of aggregate.
pub const KIND: &str = "Account";

/// Most transfers that may be taking money out of an account at one time. All of them are in its state, which
/// is written with every batch that touches it: so many come to 760 kB, and a record has room for 1 MB.
pub const MAX_RESERVATIONS: usize = 10_000;

/// `Account/<account_id>`
#[must_use]
pub fn id(account_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[account_id])
}

impl Account {
    /// What is set aside for transfers under way, in minor units.
    #[must_use]
    pub fn reserved_total(&self) -> i64 {
        // never more than the balance, so it cannot overflow
        self.reserved.iter().fold(0, |sum, one| sum.saturating_add(one.amount))
    }

    /// What its owner can dispose of, in minor units: the balance less what is reserved.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.balance.saturating_sub(self.reserved_total())
    }

    /// Whether something is set aside for this transfer.
    #[must_use]
    pub fn has_reserved(&self, transfer_id: &str) -> bool {
        self.reserved.iter().any(|one| one.transfer_id == transfer_id)
    }
}

/// What is kept under an account's id, which must have the routing key of the message being
/// decided; shared with the engine rather than copied, since every command looks at one.
type Kept = Option<Arc<State>>;

fn get(states: &impl StateReader<State = State>, account_id: &str) -> Kept {
    states.get(&id(account_id))
}

fn account(kept: &Kept) -> Option<&Account> {
    kept.as_deref().and_then(State::account)
}

/// Opens an account.
pub(crate) fn open(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &OpenAccount,
) -> Result<AccountOpened, Rejections> {
    let account_id = &command.account_id;
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, &command.owner_id, "the user named in owner_id", states);
    if rejections.well_formed("account_id", account_id) {
        rejections.require(states.is_none_or(|it| account(&get(it, account_id)).is_none()), || {
            let message = format!("account id {account_id} is taken, or was once; choose another");
            Violation::on(ALREADY_EXISTS, "account_id", message)
        });
    }
    rejections.well_formed("owner_id", &command.owner_id);
    rules::known_currency(&mut rejections, &command.currency);
    rejections.or(|| AccountOpened {
        account_id: account_id.clone(),
        owner_id: command.owner_id.clone(),
        currency: command.currency.clone(),
    })
}

/// Takes money in. Whose money it is does not matter, so anybody may. Who does not own the account learns whether it is
/// open and in which currency, as whoever pays must, and nothing of what is in it: [`rules::MOST_FOR_ANOTHER`].
pub(crate) fn deposit(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &Deposit,
) -> Result<MoneyDeposited, Rejections> {
    let account_id = &command.account_id;
    let mut rejections = Rejections::none();
    let kept = existing(&mut rejections, states, account_id);
    let account = account(&kept);
    is_open(&mut rejections, "account_id", account_id, account);
    let is_anothers = account.is_some_and(|it| actor.is_some_and(|actor| actor != &*it.owner_id));
    if rejections.positive("amount", command.amount)
        && (!is_anothers || rules::for_another(&mut rejections, command.amount))
    {
        has_room(&mut rejections, account, command.amount, &command.currency);
    }
    same_currency(&mut rejections, account_id, account, &command.currency);
    rejections.line("reference", &command.reference);
    rejections.or(|| MoneyDeposited {
        account_id: account_id.clone(),
        amount: command.amount,
        currency: command.currency.clone(),
        reference: command.reference.clone(),
    })
}

/// Pays out what is available.
pub(crate) fn withdraw(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &Withdraw,
) -> Result<MoneyWithdrawn, Rejections> {
    let account_id = &command.account_id;
    let mut rejections = Rejections::none();
    let kept = owned(&mut rejections, states, actor, account_id);
    let account = account(&kept);
    is_open(&mut rejections, "account_id", account_id, account);
    if rejections.positive("amount", command.amount) {
        has_funds(&mut rejections, account, command.amount);
    }
    same_currency(&mut rejections, account_id, account, &command.currency);
    rejections.line("reference", &command.reference);
    rejections.or(|| MoneyWithdrawn {
        account_id: account_id.clone(),
        amount: command.amount,
        currency: command.currency.clone(),
        reference: command.reference.clone(),
    })
}

/// Closes an empty account for good.
pub(crate) fn close(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CloseAccount,
) -> Result<AccountClosed, Rejections> {
    let account_id = &command.account_id;
    let mut rejections = Rejections::none();
    let kept = owned(&mut rejections, states, actor, account_id);
    let account = account(&kept);
    is_open(&mut rejections, "account_id", account_id, account);
    if let Some(account) = account {
        rejections.require(account.balance == 0 && account.reserved.is_empty(), || {
            let message = format!(
                "account {account_id} holds {} minor units (cents), {} of them set aside for transfers under way; move them out first",
                account.balance,
                account.reserved_total()
            );
            Violation::on(INVALID_STATE, "account_id", message)
        });
    }
    rejections.or(|| AccountClosed { account_id: account_id.clone() })
}

/// Sets the amount of a transfer aside. Nothing happens when a repeated step finds it done.
pub(crate) fn reserve(states: &impl StateReader<State = State>, step: &ReserveFunds) -> Option<EventData> {
    let kept = get(states, &step.from);
    let account = account(&kept);
    if account.is_some_and(|account| account.has_reserved(&step.transfer_id)) {
        return None;
    }
    let mut rejections = Rejections::none();
    exists(&mut rejections, "from", &step.from, account);
    let account = account.and_then(|account| {
        let actor = step.requested_by.as_deref();
        rejections.permitted(actor, &account.owner_id, "the owner of the account in from", account)
    });
    is_open(&mut rejections, "from", &step.from, account);
    has_room_to_reserve(&mut rejections, &step.from, account);
    has_funds(&mut rejections, account, step.amount);
    same_currency(&mut rejections, &step.from, account, &step.currency);
    Some(match rejections.or(|| ()) {
        Ok(()) => FundsReserved {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
        }
        .into(),
        Err(rejections) => ReservationRefused {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
            violations: rejections.into_violations(),
        }
        .into(),
    })
}

/// Takes the amount of a transfer in. The account keeps no list of the transfers that came
/// in, so that a step is not applied twice is the engine's promise here.
pub(crate) fn credit(states: &impl StateReader<State = State>, step: &CreditTransfer) -> EventData {
    let kept = get(states, &step.to);
    let account = account(&kept);
    let mut rejections = Rejections::none();
    exists(&mut rejections, "to", &step.to, account);
    is_open(&mut rejections, "to", &step.to, account);
    has_room(&mut rejections, account, step.amount, &step.currency);
    same_currency(&mut rejections, &step.to, account, &step.currency);
    match rejections.or(|| ()) {
        Ok(()) => TransferCredited {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
        }
        .into(),
        Err(rejections) => CreditRefused {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
            violations: rejections.into_violations(),
        }
        .into(),
    }
}

/// Takes out what was set aside. It cannot fail: the reservation is there, or a repeated
/// step finds it done.
pub(crate) fn settle(
    states: &impl StateReader<State = State>,
    step: &SettleReservation,
) -> Option<EventData> {
    account(&get(states, &step.from))?.has_reserved(&step.transfer_id).then(|| {
        ReservationSettled {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
        }
        .into()
    })
}

/// Makes available again what was set aside; like [`settle`], it cannot fail.
pub(crate) fn release(
    states: &impl StateReader<State = State>,
    step: &ReleaseReservation,
) -> Option<EventData> {
    account(&get(states, &step.from))?.has_reserved(&step.transfer_id).then(|| {
        ReservationReleased {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
            violations: step.violations.clone(),
        }
        .into()
    })
}

/// The account of a command, if the id is one and it exists.
fn existing(rejections: &mut Rejections, states: &impl StateReader<State = State>, account_id: &str) -> Kept {
    if !rejections.well_formed("account_id", account_id) {
        return None;
    }
    let kept = get(states, account_id);
    exists(rejections, "account_id", account_id, account(&kept));
    kept
}

/// As [`existing`], of a command that belongs to the account's owner; to anybody else it is as if there were none.
fn owned(
    rejections: &mut Rejections,
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    account_id: &str,
) -> Kept {
    let kept = existing(rejections, states, account_id);
    // only an account that exists has an owner
    let owner_id = account(&kept)?.owner_id.clone();
    rejections.permitted(actor, &owner_id, "the owner of the account", kept).flatten()
}

fn exists(rejections: &mut Rejections, field: &str, account_id: &str, account: Option<&Account>) {
    rejections.require(account.is_some(), || {
        Violation::on(NOT_FOUND, field, format!("there is no account {account_id}; open it first"))
    });
}

fn is_open(rejections: &mut Rejections, field: &str, account_id: &str, account: Option<&Account>) {
    rejections.require(account.is_none_or(|account| !account.closed), || {
        Violation::on(INVALID_STATE, field, format!("account {account_id} is closed, for good; use another"))
    });
}

fn has_funds(rejections: &mut Rejections, account: Option<&Account>, amount: i64) {
    let available = account.map_or(i64::MAX, Account::available);
    rejections.require(amount <= available, || {
        let message = format!(
            "{amount} is more than the {available} minor units (cents) available; what is set aside for transfers is not"
        );
        Violation::on(INSUFFICIENT_FUNDS, "amount", message)
    });
}

fn has_room_to_reserve(rejections: &mut Rejections, account_id: &str, account: Option<&Account>) {
    let reserved = account.map_or(0, |account| account.reserved.len());
    rejections.require(reserved < MAX_RESERVATIONS, || {
        let message = format!(
            "{reserved} transfers are taking money out of account {account_id}, the most there may be at one time; try again when some have ended"
        );
        Violation::on(LIMIT_REACHED, "from", message)
    });
}

/// An amount in another currency is no amount that could be added, so there is nothing to ask.
fn has_room(rejections: &mut Rejections, account: Option<&Account>, amount: i64, code: &str) {
    let account = account.filter(|account| account.currency == code);
    let fits = account.is_none_or(|account| account.balance.checked_add(amount).is_some());
    rejections.require(fits, || {
        let message = format!(
            "with {amount} more the balance would be above {}, the most an account can hold",
            i64::MAX
        );
        Violation::on(OVERFLOW, "amount", message)
    });
}

/// What is moved must be in the account's currency; of an account that is not there, it must
/// at least be one. An account kept in a code withdrawn from ISO 4217 goes on.
fn same_currency(rejections: &mut Rejections, account_id: &str, account: Option<&Account>, code: &str) {
    let Some(account) = account else { return rules::known_currency(rejections, code) };
    rejections.require(account.currency == code, || {
        let message = if currency::is_known(code) {
            format!(
                "account {account_id} is kept in {}, not in {code}; amounts are not exchanged",
                account.currency
            )
        } else {
            format!(
                "currency is not a code of ISO 4217; account {account_id} is kept in {}",
                account.currency
            )
        };
        Violation::on(INVALID_ARGUMENT, "currency", message)
    });
}

/// The state after an event of Account. Decisions have made sure that nothing here can
/// overflow; saturating says what happens if not.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    if let EventData::AccountOpened(e) = event {
        return Some(State::Account(Account {
            owner_id: e.owner_id.clone(),
            currency: e.currency.clone(),
            balance: 0,
            reserved: Vec::new(),
            closed: false,
        }));
    }
    let Some(State::Account(mut account)) = state else { return state };
    match event {
        EventData::MoneyDeposited(e) => account.balance = account.balance.saturating_add(e.amount),
        EventData::MoneyWithdrawn(e) => account.balance = account.balance.saturating_sub(e.amount),
        EventData::AccountClosed(_) => account.closed = true,
        EventData::FundsReserved(e) => {
            account.reserved.push(Reservation { transfer_id: e.transfer_id.clone(), amount: e.amount });
        }
        EventData::TransferCredited(e) => account.balance = account.balance.saturating_add(e.amount),
        EventData::ReservationSettled(e) => {
            account.reserved.retain(|one| one.transfer_id != e.transfer_id);
            account.balance = account.balance.saturating_sub(e.amount);
        }
        EventData::ReservationReleased(e) => {
            account.reserved.retain(|one| one.transfer_id != e.transfer_id);
        }
        // refused: nothing has changed
        _ => {}
    }
    Some(State::Account(account))
}
