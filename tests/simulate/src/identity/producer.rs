//! What a few users with fewer addresses ask for, so that they are after the same ones.

use millrace_domain_identity::CommandData;
use millrace_domain_identity::messages::commands::{AddUser, EnableAccounting, RemoveUser, UpdateUser};
use millrace_kernel::{Command, Metadata, Sealed};

use crate::dice::Dice;

/// What a history's users are like.
pub struct Producer {
    users: usize,
    addresses: usize,
    /// How often somebody is removed, so many times in a thousand commands.
    removals: u32,
}

/// The user of this number.
pub fn user(n: usize) -> String {
    format!("user-{n}")
}

impl Producer {
    /// The users of one history.
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            users: dice.within(3, 12) as usize,
            addresses: dice.within(1, 5) as usize,
            removals: if dice.per_mille(500) { 120 } else { 20 },
        }
    }

    /// The next command.
    pub fn command(&self, dice: &mut Dice, n: usize) -> Command<CommandData> {
        let who = user(dice.below(self.users));
        let data = self.data(dice, &who, n);
        let mut metadata = Metadata::default();
        if dice.per_mille(80) {
            metadata.user_id =
                Some(if dice.below(2) == 0 { who } else { user(dice.below(self.users)) }.into());
        }
        if dice.per_mille(60) {
            metadata.expected_version = Some(dice.within(0, 6));
        }
        Command { id: format!("command-{n}").into(), metadata, data }
    }

    fn data(&self, dice: &mut Dice, who: &str, n: usize) -> CommandData {
        let user_id = who.into();
        if dice.per_mille(self.removals) {
            return RemoveUser { user_id }.into();
        }
        match dice.below(10) {
            0..4 => AddUser {
                user_id,
                auth0_id: format!("auth0|{who}").as_str().into(),
                email: self.address(dice).as_str().into(),
                email_verified: dice.per_mille(800),
                first_name: format!("name-{n}").as_str().into(),
                last_name: "".into(),
                picture: "".into(),
                locale: "de".into(),
            }
            .into(),
            9 => {
                let fingerprint = format!("{:043}", dice.below(3)).into();
                EnableAccounting { user_id, sealed_token: Sealed::new(vec![7; 64]), fingerprint }.into()
            }
            _ => UpdateUser {
                user_id,
                email: dice.per_mille(600).then(|| self.address(dice).as_str().into()),
                email_verified: dice.per_mille(600).then(|| dice.per_mille(800)),
                first_name: dice.per_mille(300).then(|| format!("name-{n}").as_str().into()),
                last_name: None,
                picture: dice.per_mille(100).then(|| "https://example.org/a.png".into()),
                locale: dice.per_mille(100).then(|| "fr".into()),
            }
            .into(),
        }
    }

    /// One of few addresses, in one of its spellings; hardly ever none.
    fn address(&self, dice: &mut Dice) -> String {
        let address = format!("a{}@example.org", dice.below(self.addresses));
        match dice.below(40) {
            0 => "nowhere".to_owned(),
            1..12 => address.to_uppercase(),
            _ => address,
        }
    }
}
