//! The commands: mostly deposits, a tenth withdrawals, of which some are refused for want of money.

use millrace_domain_accounting::CommandData;
use millrace_domain_accounting::messages::commands::{Deposit, OpenAccount, Withdraw};
use millrace_kernel::{Command, Metadata};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::keys::{Distribution, Keys};

/// One in so many commands is a withdrawal.
const WITHDRAWAL_EVERY: u32 = 10;
/// Most that one deposit brings, in cents.
const MOST_IN: i64 = 10_000;
/// Most that one withdrawal asks for, in cents: on average two thirds of what came in between, so that an
/// account lasts, but its first withdrawals are often too early.
const MOST_OUT: i64 = 60_000;
/// The currency of every account.
const CURRENCY: &str = "EUR";

/// An account's id.
pub fn account_id(number: u64) -> String {
    format!("acc-{number:08}")
}

/// The user whose account it is.
pub fn owner_id(number: u64) -> String {
    format!("user-{number:08}")
}

/// Draws commands from a seed.
pub struct Mix {
    random: SmallRng,
    keys: Keys,
    drawn: u64,
}

impl Mix {
    /// Commands for so many accounts.
    pub fn new(seed: u64, distribution: Distribution, accounts: u64) -> Self {
        Self { random: SmallRng::seed_from_u64(seed), keys: Keys::new(distribution, accounts), drawn: 0 }
    }

    /// The command that opens an account.
    pub fn open(&mut self, number: u64, issued_at: i64) -> Command<CommandData> {
        let (account_id, owner_id) = (account_id(number), owner_id(number));
        let data = OpenAccount {
            account_id: account_id.into(),
            owner_id: owner_id.into(),
            currency: CURRENCY.into(),
        };
        self.envelope(number, issued_at, data.into())
    }

    /// The next command, issued at this time (microseconds since the epoch).
    pub fn next(&mut self, issued_at: i64) -> Command<CommandData> {
        let number = self.keys.pick(&mut self.random);
        let account_id = account_id(number);
        let currency = CURRENCY.to_owned();
        let reference = format!("invoice {:06}", self.drawn % 1_000_000);
        let data = if self.random.random_ratio(1, WITHDRAWAL_EVERY) {
            let amount = self.random.random_range(1..=MOST_OUT);
            Withdraw {
                account_id: account_id.into(),
                amount,
                currency: currency.into(),
                reference: reference.into(),
            }
            .into()
        } else {
            let amount = self.random.random_range(1..=MOST_IN);
            Deposit {
                account_id: account_id.into(),
                amount,
                currency: currency.into(),
                reference: reference.into(),
            }
            .into()
        };
        self.envelope(number, issued_at, data)
    }

    fn envelope(&mut self, number: u64, issued_at: i64, data: CommandData) -> Command<CommandData> {
        let high: u64 = self.random.random();
        let id = command_id(high, self.drawn);
        self.drawn += 1;
        let metadata = Metadata {
            user_id: Some(owner_id(number).into()),
            issued_at: Some(issued_at),
            ..Metadata::default()
        };
        Command { id: id.into(), metadata, data }
    }
}

/// As long as a UUID, which most producers use: drawn digits, then the command's number in the last twelve.
fn command_id(high: u64, number: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high >> 4 & 0xfff,
        high & 0xfff
    )
}

/// The number of a command, from its id.
pub fn number_of(command_id: &str) -> Option<u64> {
    u64::from_str_radix(command_id.rsplit('-').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_commands_again() {
        let draw = || {
            let mut mix = Mix::new(3, Distribution::Zipf, 100);
            (0..500).map(|_| mix.next(1)).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
    }

    #[test]
    fn an_id_is_as_long_as_a_uuid_and_tells_its_number() {
        let mut mix = Mix::new(1, Distribution::Uniform, 10);
        for number in 0..100 {
            let id = mix.next(1).id;
            assert_eq!(id.len(), 36, "{id}");
            assert!(millrace_kernel::id::is_valid(&id), "{id}");
            assert_eq!(number_of(&id), Some(number), "{id}");
        }
    }
}
