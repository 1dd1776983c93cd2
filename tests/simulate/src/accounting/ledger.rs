//! The equation of money, in every cut of the partitions that contains the cause of each event in it:
//! Σ balances − Σ amounts credited and not yet settled = Σ deposits − Σ withdrawals.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_accounting::EventData;
use millrace_kernel::Text;

use super::AccountingWorkload;
use crate::dice::Dice;
use crate::holds;
use crate::oracle::world::{Failure, World};

/// A book that is kept by hand.
#[derive(Debug, Default)]
struct Book {
    balances: BTreeMap<Text, i128>,
    /// By account and transfer.
    reserved: BTreeMap<(Text, Text), i128>,
    /// Amounts credited, by transfer and by when they were settled: the money is on both sides.
    credited: BTreeMap<Text, i128>,
    settled: BTreeSet<Text>,
    paid_in: i128,
    paid_out: i128,
}

impl Book {
    fn enter(&mut self, event: &EventData) {
        let amount = |amount: i64| i128::from(amount);
        match event {
            EventData::MoneyDeposited(e) => {
                *self.balances.entry(e.account_id.clone()).or_default() += amount(e.amount);
                self.paid_in += amount(e.amount);
            }
            EventData::MoneyWithdrawn(e) => {
                *self.balances.entry(e.account_id.clone()).or_default() -= amount(e.amount);
                self.paid_out += amount(e.amount);
            }
            EventData::FundsReserved(e) => {
                self.reserved.insert((e.from.clone(), e.transfer_id.clone()), amount(e.amount));
            }
            EventData::TransferCredited(e) => {
                *self.balances.entry(e.to.clone()).or_default() += amount(e.amount);
                *self.credited.entry(e.transfer_id.clone()).or_default() += amount(e.amount);
            }
            EventData::ReservationSettled(e) => {
                *self.balances.entry(e.from.clone()).or_default() -= amount(e.amount);
                self.reserved.remove(&(e.from.clone(), e.transfer_id.clone()));
                self.settled.insert(e.transfer_id.clone());
            }
            EventData::ReservationReleased(e) => {
                self.reserved.remove(&(e.from.clone(), e.transfer_id.clone()));
            }
            _ => {}
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let balances: i128 = self.balances.values().sum();
        let unsettled = self.credited.iter().filter(|(transfer, _)| !self.settled.contains(*transfer));
        let on_both_sides: i128 = unsettled.map(|(_, amount)| amount).sum();
        holds!(
            balances - on_both_sides == self.paid_in - self.paid_out,
            "no money is made or lost",
            "balances {balances}, of them on both sides {on_both_sides}, paid in {}, paid out {}: {self:?}",
            self.paid_in,
            self.paid_out
        );
        for (account, balance) in &self.balances {
            let reserved: i128 =
                self.reserved.iter().filter(|((of, _), _)| of == account).map(|(_, amount)| amount).sum();
            holds!(
                (0..=i128::from(i64::MAX)).contains(balance) && reserved <= *balance,
                "nobody has less than nothing",
                "{account} has {balance}, of them reserved {reserved}"
            );
        }
        Ok(())
    }
}

/// Checks cuts of the events seen so far, as many as asked for.
///
/// # Errors
/// A cut in which the equation does not hold.
pub fn in_any_cut(
    world: &World<'_, AccountingWorkload>,
    dice: &mut Dice,
    cuts: usize,
) -> Result<(), Failure> {
    // where each event stands, and which event asked for the step that caused it
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut askers: BTreeMap<(i32, i64), &str> = BTreeMap::new();
    for (number, seen) in world.partitions() {
        for (index, (_, event)) in seen.events.iter().enumerate() {
            places.insert(&event.id, (number as usize, index));
        }
        for (offset, step) in &seen.steps {
            askers.insert((number, *offset), step.metadata.causation_id.as_deref().unwrap_or_default());
        }
    }
    let lengths: Vec<usize> = world.partitions().map(|(_, seen)| seen.events.len()).collect();
    for _ in 0..cuts {
        let mut cut: Vec<usize> = lengths.iter().map(|length| dice.below(length + 1)).collect();
        // an event whose cause is not in the cut is not either, and nothing behind it
        loop {
            let mut shorter = None;
            for (number, seen) in world.partitions() {
                let lacks_cause = |event: &millrace_kernel::Event<EventData>| {
                    let asker = askers.get(&(number, event.command_offset));
                    let place = asker.and_then(|asker| places.get(asker));
                    event.is_caused_by_step() && place.is_none_or(|(at, index)| *index >= cut[*at])
                };
                let within = &seen.events[..cut[number as usize]];
                if let Some(index) = within.iter().position(|(_, event)| lacks_cause(event)) {
                    shorter = Some((number as usize, index));
                    break;
                }
            }
            let Some((number, index)) = shorter else { break };
            cut[number] = index;
        }
        let mut book = Book::default();
        for (number, seen) in world.partitions() {
            seen.events[..cut[number as usize]].iter().for_each(|(_, event)| book.enter(&event.data));
        }
        book.check().map_err(|why| Failure::new(why.rule, format!("cut {cut:?}: {}", why.message)))?;
    }
    Ok(())
}

/// In the end nothing is reserved, nothing is on both sides, and all money is somewhere.
///
/// # Errors
/// What does not hold.
pub fn at_rest(world: &World<'_, AccountingWorkload>) -> Result<(), Failure> {
    let mut book = Book::default();
    for (_, seen) in world.partitions() {
        seen.events.iter().for_each(|(_, event)| book.enter(&event.data));
    }
    book.check()?;
    holds!(book.reserved.is_empty(), "nothing stays reserved", "{:?}", book.reserved);
    let credited: BTreeSet<&Text> = book.credited.keys().collect();
    let settled: BTreeSet<&Text> = book.settled.iter().collect();
    holds!(credited == settled, "what is credited is settled", "{credited:?}, {settled:?}");
    Ok(())
}
