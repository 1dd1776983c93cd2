//! Users beside a domain that looks them up: they come, change and go.

use millrace_domain_identity::messages::commands::{AddUser, EnableAccounting, RemoveUser, UpdateUser};
use millrace_domain_identity::{CommandData, EventData, Identity};
use millrace_kernel::{Command, Metadata, NoSettings, Sealed};
use millrace_testkit::pipeline::Pipeline;

use super::{IdentityWorkload, each_address_is_one_users, model, producer};
use crate::dice::Dice;
use crate::neighbours::{Neighbour, tables_are_the_fold};
use crate::oracle::world::Failure;
use crate::plan::Beside;
use crate::workload::Workload;

/// How many users there are at most.
pub const USERS: usize = 12;
/// How many addresses they share.
const ADDRESSES: usize = 6;

/// [`Identity`] as a neighbour.
pub struct IdentityBeside;

/// Who asks for something there.
pub struct Producer {
    /// How many have come.
    came: usize,
    /// How often somebody is removed, so many times in a thousand commands.
    removals: u32,
}

impl IdentityBeside {
    /// What it is like in one history.
    pub fn setup(dice: &mut Dice) -> Beside {
        Beside {
            partitions: dice.within(1, 4) as i32,
            processors: dice.within(1, 2) as usize,
            projectors: usize::from(dice.per_mille(150)),
            before: if dice.per_mille(850) { dice.within(3, 8) as usize } else { 0 },
            luck: dice.roll(),
            ..Beside::of("identity")
        }
    }
}

impl Neighbour for IdentityBeside {
    type Domain = Identity;
    type Producer = Producer;

    fn producer(dice: &mut Dice) -> Producer {
        Producer { came: 0, removals: if dice.per_mille(500) { 80 } else { 15 } }
    }

    fn command(asking: &mut Producer, dice: &mut Dice, n: usize) -> Command<CommandData> {
        let who = producer::user(dice.below(USERS));
        let address = format!("a{}@example.org", dice.below(ADDRESSES));
        let is_new = asking.came < USERS && (n <= 8 || dice.per_mille(250));
        let data: CommandData = if is_new {
            let who = producer::user(asking.came);
            asking.came += 1;
            AddUser {
                auth0_id: format!("auth0|{who}").as_str().into(),
                user_id: who.into(),
                email: address.as_str().into(),
                // who is late with an address does not come
                email_verified: dice.per_mille(150),
                first_name: "Ada".into(),
                last_name: "".into(),
                picture: "".into(),
                locale: "de".into(),
            }
            .into()
        } else if dice.per_mille(asking.removals) {
            RemoveUser { user_id: who.into() }.into()
        } else if dice.per_mille(200) {
            let fingerprint = format!("{:043}", dice.below(3)).into();
            EnableAccounting { user_id: who.into(), sealed_token: Sealed::new(vec![7; 64]), fingerprint }
                .into()
        } else {
            UpdateUser {
                user_id: who.into(),
                email: dice.per_mille(500).then(|| address.as_str().into()),
                email_verified: dice.per_mille(500).then(|| dice.per_mille(500)),
                first_name: Some(format!("name-{n}").as_str().into()),
                last_name: None,
                picture: None,
                locale: None,
            }
            .into()
        };
        Command { id: format!("ask-{n}").into(), metadata: Metadata::default(), data }
    }

    fn made_known(event: &EventData) -> Option<String> {
        IdentityWorkload::made_known(event)
    }

    fn made_unknown(event: &EventData) -> Option<String> {
        IdentityWorkload::made_unknown(event)
    }

    fn judge(pipeline: &Pipeline<Identity>) -> Result<(), Failure> {
        let mut directory = model::Directory::default();
        pipeline.events().iter().for_each(|(_, event)| directory.apply(&event.data));
        each_address_is_one_users(&directory)?;
        tables_are_the_fold::<IdentityWorkload>(pipeline, &NoSettings::default())
    }
}
