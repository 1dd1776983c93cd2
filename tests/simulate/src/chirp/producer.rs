//! What the people of a small network ask for.

use millrace_domain_chirp::CommandData;
use millrace_domain_chirp::messages::commands::{
    DeleteChirp, EditChirp, FollowUser, PostChirp, RegisterUser, UnfollowUser,
};
use millrace_kernel::{Command, Metadata};

use crate::dice::Dice;

/// What a history's people are like.
pub struct Producer {
    users: usize,
    authors: usize,
    names: usize,
    chirps: usize,
}

fn user(n: usize) -> String {
    format!("user-{n}")
}

impl Producer {
    /// The people of one history: few, so that they get in each other's way.
    pub fn new(dice: &mut Dice) -> Self {
        let users = dice.within(3, 7) as usize;
        Self {
            users,
            authors: dice.within(1, 3) as usize,
            names: dice.within(users as i64 - 1, 2 * users as i64) as usize,
            chirps: dice.within(5, 30) as usize,
        }
    }

    /// The next command.
    pub fn command(&mut self, dice: &mut Dice, n: usize) -> Command<CommandData> {
        let data = self.data(dice, n);
        let mut metadata = Metadata::default();
        if dice.per_mille(60) {
            metadata.user_id = Some(user(dice.below(self.users)).into());
        }
        if dice.per_mille(60) {
            metadata.expected_version = Some(dice.within(0, 3));
        }
        Command { id: format!("command-{n}").into(), metadata, data }
    }

    fn data(&self, dice: &mut Dice, n: usize) -> CommandData {
        // users first, or all is refused; those who lost their name try again
        if n < 2 * self.users {
            return self.register(user(n % self.users), dice);
        }
        let (someone, author) = (user(dice.below(self.users)), user(dice.below(self.authors)));
        let chirp_id = format!("chirp-{}", dice.below(self.chirps));
        let content = match dice.below(30) {
            0 => " \u{2003}".to_owned(),
            1 => "x".repeat(281),
            _ => format!("text {n}"),
        };
        match dice.below(16) {
            0 => self.register(if dice.below(8) == 0 { user(self.users) } else { someone }, dice),
            1..6 => {
                PostChirp { chirp_id: chirp_id.into(), author_id: author.into(), content: content.into() }
                    .into()
            }
            6 | 7 => {
                EditChirp { chirp_id: chirp_id.into(), author_id: author.into(), content: content.into() }
                    .into()
            }
            8 => DeleteChirp { chirp_id: chirp_id.into(), author_id: author.into() }.into(),
            9..13 => FollowUser { follower_id: someone.into(), followee_id: author.into() }.into(),
            _ => UnfollowUser { follower_id: someone.into(), followee_id: author.into() }.into(),
        }
    }

    fn register(&self, user_id: String, dice: &mut Dice) -> CommandData {
        let prefix = *dice.pick(&["name_", "NAME_", "Name_"]);
        let username =
            if dice.per_mille(30) { "x".to_owned() } else { format!("{prefix}{}", dice.below(self.names)) };
        RegisterUser { user_id: user_id.into(), username: username.into() }.into()
    }
}
