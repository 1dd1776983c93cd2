//! The network as a plain fold of events, and what its rules say: `domains.md` once more.

use std::collections::BTreeMap;

use millrace_domain_chirp::messages::events::{
    ChirpDeleted, ChirpEdited, ChirpPosted, RegistrationRefused, RegistrationStarted, UserFollowed,
    UserRegistered, UserUnfollowed, UsernameClaimRefused, UsernameClaimed,
};
use millrace_domain_chirp::messages::state::{Chirp, FollowRelationship, User, Username};
use millrace_domain_chirp::{CommandData, EventData, State, StepData};
use millrace_kernel::{Command, Event, Text, Violation};

use super::ChirpWorkload;
use crate::holds;
use crate::oracle::world::{Failure, World};
use crate::workload::{Around, Broken};

/// Everything there is.
#[derive(Default)]
pub struct Network {
    /// (name, registered at) by user id.
    users: BTreeMap<Text, (Text, Option<i64>)>,
    /// User id by lower-case name.
    names: BTreeMap<Text, Text>,
    /// By author and id.
    chirps: BTreeMap<(Text, Text), Chirp>,
    /// (active, since) by followee and follower.
    follows: BTreeMap<(Text, Text), (bool, i64)>,
}

fn broken(code: &str, field: &str) -> Broken {
    (code.to_owned(), Some(field.to_owned()))
}

impl Network {
    fn is_user(&self, user_id: &str) -> bool {
        self.users.get(user_id).is_some_and(|(_, since)| since.is_some())
    }

    pub fn decide(
        &self,
        command: &Command<CommandData>,
        around: &dyn Around,
    ) -> Result<Vec<EventData>, Vec<Broken>> {
        let mut wrong = Vec::new();
        let owner = match &command.data {
            CommandData::RegisterUser(c) => &c.user_id,
            CommandData::PostChirp(c) => &c.author_id,
            CommandData::EditChirp(c) => &c.author_id,
            CommandData::DeleteChirp(c) => &c.author_id,
            CommandData::FollowUser(c) => &c.follower_id,
            CommandData::UnfollowUser(c) => &c.follower_id,
        };
        if command.metadata.user_id.as_ref().is_some_and(|actor| actor != owner) {
            wrong.push(broken("NotPermitted", "metadata.user_id"));
            malformed(&command.data, &mut wrong);
            return Err(wrong);
        }
        let event: EventData = match command.data.clone() {
            CommandData::RegisterUser(c) => {
                if self.users.contains_key(&c.user_id) {
                    wrong.push(broken("AlreadyExists", "user_id"));
                }
                username(&c.username, &mut wrong);
                RegistrationStarted { user_id: c.user_id, username: c.username }.into()
            }
            CommandData::PostChirp(c) => {
                if self.chirps.contains_key(&(c.author_id.clone(), c.chirp_id.clone())) {
                    wrong.push(broken("AlreadyExists", "chirp_id"));
                }
                self.author(&c.author_id, &mut wrong);
                content(&c.content, &mut wrong);
                ChirpPosted { chirp_id: c.chirp_id, author_id: c.author_id, content: c.content }.into()
            }
            CommandData::EditChirp(c) => {
                self.chirp(&c.author_id, &c.chirp_id, &mut wrong);
                self.author(&c.author_id, &mut wrong);
                content(&c.content, &mut wrong);
                ChirpEdited { chirp_id: c.chirp_id, author_id: c.author_id, content: c.content }.into()
            }
            CommandData::DeleteChirp(c) => {
                self.chirp(&c.author_id, &c.chirp_id, &mut wrong);
                ChirpDeleted { chirp_id: c.chirp_id, author_id: c.author_id }.into()
            }
            CommandData::FollowUser(c) => {
                let both = self.both(&c.follower_id, &c.followee_id, true, around, &mut wrong);
                let follows = self.is_following(&c.followee_id, &c.follower_id);
                if both && follows {
                    wrong.push(broken("AlreadyFollowing", "followee_id"));
                }
                UserFollowed { follower_id: c.follower_id, followee_id: c.followee_id }.into()
            }
            CommandData::UnfollowUser(c) => {
                let both = self.both(&c.follower_id, &c.followee_id, false, around, &mut wrong);
                let follows = self.is_following(&c.followee_id, &c.follower_id);
                if both && !follows {
                    wrong.push(broken("NotFollowing", "followee_id"));
                }
                UserUnfollowed { follower_id: c.follower_id, followee_id: c.followee_id }.into()
            }
        };
        if wrong.is_empty() { Ok(vec![event]) } else { Err(wrong) }
    }

    fn author(&self, author_id: &str, wrong: &mut Vec<Broken>) {
        if !self.is_user(author_id) {
            wrong.push(broken("NotFound", "author_id"));
        }
    }

    fn chirp(&self, author_id: &str, chirp_id: &str, wrong: &mut Vec<Broken>) {
        match self.chirps.get(&(author_id.into(), chirp_id.into())) {
            None => wrong.push(broken("NotFound", "chirp_id")),
            Some(chirp) if chirp.deleted => wrong.push(broken("InvalidState", "chirp_id")),
            Some(_) => {}
        }
    }

    /// Whether both exist. The follower may be of another partition, where they may be known or not.
    fn both(
        &self,
        follower: &str,
        followee: &str,
        is_follow: bool,
        around: &dyn Around,
        wrong: &mut Vec<Broken>,
    ) -> bool {
        let follower_known = if follower == followee {
            self.is_user(follower)
        } else {
            around.knows(&format!("User/{follower}"))
        };
        if !follower_known {
            wrong.push(broken("NotFound", "follower_id"));
        }
        if is_follow && follower == followee {
            wrong.push(broken("InvalidArgument", "followee_id"));
        }
        if !self.is_user(followee) {
            wrong.push(broken("NotFound", "followee_id"));
        }
        follower_known && self.is_user(followee)
    }

    fn is_following(&self, followee: &str, follower: &str) -> bool {
        self.follows.get(&(followee.into(), follower.into())).is_some_and(|(active, _)| *active)
    }

    pub fn decide_step(&self, step: &StepData) -> Vec<EventData> {
        let is_open =
            |user_id: &str| self.users.get(user_id).is_some_and(|(_, registered_at)| registered_at.is_none());
        match step.clone() {
            StepData::ClaimUsername(s) => {
                let owner = self.names.get(s.username.to_lowercase().as_str());
                if owner.is_some_and(|owner| *owner != s.user_id) {
                    let violations = vec![Violation::on("AlreadyExists", "username", String::new())];
                    vec![UsernameClaimRefused { user_id: s.user_id, username: s.username, violations }.into()]
                } else {
                    vec![UsernameClaimed { user_id: s.user_id, username: s.username }.into()]
                }
            }
            StepData::ConfirmRegistration(s) if is_open(&s.user_id) => {
                vec![UserRegistered { user_id: s.user_id, username: s.username }.into()]
            }
            StepData::RefuseRegistration(s) if is_open(&s.user_id) => {
                let (user_id, username, violations) = (s.user_id, s.username, s.violations);
                vec![RegistrationRefused { user_id, username, violations }.into()]
            }
            StepData::ConfirmRegistration(_) | StepData::RefuseRegistration(_) => Vec::new(),
        }
    }

    pub fn apply(&mut self, event: &Event<EventData>) {
        let at = event.recorded_at;
        match event.data.clone() {
            EventData::RegistrationStarted(e) => {
                self.users.insert(e.user_id, (e.username, None));
            }
            EventData::UserRegistered(e) => {
                self.users.insert(e.user_id, (e.username, Some(at)));
            }
            EventData::RegistrationRefused(e) => {
                self.users.remove(&e.user_id);
            }
            EventData::UsernameClaimed(e) => {
                self.names.insert(e.username.to_lowercase().into(), e.user_id);
            }
            EventData::UsernameClaimRefused(_) => {}
            EventData::ChirpPosted(e) => {
                let key = (e.author_id.clone(), e.chirp_id);
                let (author_id, content) = (e.author_id, e.content);
                let chirp = Chirp { author_id, content, posted_at: at, edited_at: None, deleted: false };
                self.chirps.insert(key, chirp);
            }
            EventData::ChirpEdited(e) => {
                if let Some(chirp) = self.chirps.get_mut(&(e.author_id, e.chirp_id)) {
                    (chirp.content, chirp.edited_at) = (e.content, Some(at));
                }
            }
            EventData::ChirpDeleted(e) => {
                if let Some(chirp) = self.chirps.get_mut(&(e.author_id, e.chirp_id)) {
                    (chirp.content, chirp.deleted) = (Text::default(), true);
                }
            }
            EventData::UserFollowed(e) => {
                self.follows.insert((e.followee_id, e.follower_id), (true, at));
            }
            EventData::UserUnfollowed(e) => {
                self.follows.insert((e.followee_id, e.follower_id), (false, at));
            }
        }
    }

    pub fn state(&self, aggregate_id: &str) -> Option<State> {
        let parts: Vec<&str> = aggregate_id.split('/').collect();
        match parts[..] {
            ["User", id] => {
                let (username, registered_at) = self.users.get(id)?.clone();
                Some(State::User(User { username, registered_at }))
            }
            ["Username", name] => Some(State::Username(Username { user_id: self.names.get(name)?.clone() })),
            ["Chirp", author, id] => {
                Some(State::Chirp(self.chirps.get(&(author.into(), id.into()))?.clone()))
            }
            ["FollowRelationship", followee, follower] => {
                let (active, since) = *self.follows.get(&(followee.into(), follower.into()))?;
                Some(State::FollowRelationship(FollowRelationship { active, since }))
            }
            _ => None,
        }
    }
}

/// What is wrong whatever there is: all that somebody is told who may not do it.
fn malformed(command: &CommandData, wrong: &mut Vec<Broken>) {
    match command {
        CommandData::RegisterUser(c) => username(&c.username, wrong),
        CommandData::PostChirp(c) => content(&c.content, wrong),
        CommandData::EditChirp(c) => content(&c.content, wrong),
        CommandData::FollowUser(c) if c.follower_id == c.followee_id => {
            wrong.push(broken("InvalidArgument", "followee_id"));
        }
        CommandData::FollowUser(_) | CommandData::UnfollowUser(_) | CommandData::DeleteChirp(_) => {}
    }
}

fn username(username: &str, wrong: &mut Vec<Broken>) {
    let is_name =
        (3..=20).contains(&username.len()) && username.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        wrong.push(broken("InvalidArgument", "username"));
    }
}

fn content(content: &str, wrong: &mut Vec<Broken>) {
    let is_control = |c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c);
    if content.chars().count() > 280 || content.trim().is_empty() || content.chars().any(is_control) {
        wrong.push(broken("InvalidArgument", "content"));
    }
}

/// Every name has the one owner who won it, and every owner one name.
///
/// # Errors
/// A name that was won twice.
pub fn one_owner_a_name(world: &World<'_, ChirpWorkload>) -> Result<(), Failure> {
    let mut owners: BTreeMap<Text, &str> = BTreeMap::new();
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, seen) in world.partitions() {
        for (_, event) in &seen.events {
            let EventData::UserRegistered(e) = &event.data else { continue };
            let before = owners.insert(e.username.to_lowercase().into(), &e.user_id);
            holds!(before.is_none(), "a name has one owner", "{}: {before:?} and {}", e.username, e.user_id);
            let before = named.insert(&e.user_id, &e.username);
            holds!(before.is_none(), "a user registers once", "{}: {before:?} and {}", e.user_id, e.username);
        }
    }
    Ok(())
}
