//! What the customers of a small bank ask for.

use millrace_domain_accounting::CommandData;
use millrace_domain_accounting::messages::commands::{
    CloseAccount, Deposit, OpenAccount, Transfer, Withdraw,
};
use millrace_kernel::{Command, Metadata};

use crate::dice::Dice;

/// What a history's customers are like.
pub struct Producer {
    accounts: usize,
    /// Transfers that were asked for, so that one is asked for again.
    transfers: usize,
    /// How often an amount is beyond all measure, so many times in a thousand.
    huge: u32,
    closings: u32,
}

fn account(n: usize) -> String {
    format!("account-{n}")
}

fn owner(n: usize) -> String {
    format!("owner-{n}")
}

impl Producer {
    /// The customers of one history: few, so that their transfers cross.
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            accounts: dice.within(2, 5) as usize,
            transfers: 0,
            huge: if dice.per_mille(400) { 150 } else { 5 },
            closings: if dice.per_mille(500) { 80 } else { 10 },
        }
    }

    /// The next command.
    pub fn command(&mut self, dice: &mut Dice, n: usize) -> Command<CommandData> {
        let data = self.data(dice, n);
        let mut metadata = Metadata::default();
        if dice.per_mille(60) {
            metadata.user_id = Some(owner(dice.below(self.accounts)).into());
        }
        if dice.per_mille(60) {
            metadata.expected_version = Some(dice.within(0, 12));
        }
        Command { id: format!("command-{n}").into(), metadata, data }
    }

    fn data(&mut self, dice: &mut Dice, n: usize) -> CommandData {
        if n < self.accounts {
            return self.open(n, dice);
        }
        // money first, or there is nothing to move
        if n < 2 * self.accounts {
            return self.deposit(n - self.accounts, dice);
        }
        let at = dice.below(self.accounts);
        let chance = dice.below(1_000) as u32;
        if chance < self.closings {
            return CloseAccount { account_id: account(at).into() }.into();
        }
        match dice.below(20) {
            0 => {
                // now and then an account that is not opened, or a new one
                let new = if dice.below(3) == 0 { self.accounts } else { at };
                self.open(new, dice)
            }
            1..4 => self.deposit(at, dice),
            4..7 => {
                let (account_id, amount) = (account(at), self.amount(dice));
                Withdraw {
                    account_id: account_id.into(),
                    amount,
                    currency: currency(dice).into(),
                    reference: "out".into(),
                }
                .into()
            }
            _ => self.transfer(dice),
        }
    }

    fn open(&self, n: usize, dice: &mut Dice) -> CommandData {
        let currency = if dice.per_mille(30) { "eur".to_owned() } else { currency(dice) };
        OpenAccount { account_id: account(n).into(), owner_id: owner(n).into(), currency: currency.into() }
            .into()
    }

    fn deposit(&self, at: usize, dice: &mut Dice) -> CommandData {
        let (account_id, amount) = (account(at), self.amount(dice));
        Deposit {
            account_id: account_id.into(),
            amount,
            currency: currency(dice).into(),
            reference: "in".into(),
        }
        .into()
    }

    fn transfer(&mut self, dice: &mut Dice) -> CommandData {
        let number = if self.transfers > 0 && dice.per_mille(40) {
            dice.below(self.transfers)
        } else {
            self.transfers += 1;
            self.transfers - 1
        };
        // one more than there are: an account that nobody has opened
        let unknown = usize::from(dice.per_mille(50));
        let (from, to) = (dice.below(self.accounts + unknown), dice.below(self.accounts + unknown));
        let (amount, currency) = (self.amount(dice), currency(dice));
        Transfer {
            transfer_id: format!("transfer-{number}").into(),
            from: account(from).into(),
            to: account(to).into(),
            amount,
            currency: currency.into(),
        }
        .into()
    }

    fn amount(&self, dice: &mut Dice) -> i64 {
        if dice.per_mille(self.huge) {
            return i64::MAX - dice.within(0, 200);
        }
        if dice.per_mille(20) { dice.within(-1, 0) } else { dice.within(1, 100) }
    }
}

fn currency(dice: &mut Dice) -> String {
    if dice.per_mille(40) { "CHF".to_owned() } else { "EUR".to_owned() }
}
