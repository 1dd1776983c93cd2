//! Chirp under simulation: names that collide, authors who become celebrities and cease to be, chirps that
//! are edited and deleted.

mod feed;
mod model;
mod producer;
mod rows;

use millrace_domain_chirp::messages::commands::{FollowUser, RegisterUser};
use millrace_domain_chirp::messages::steps::{ClaimUsername, ConfirmRegistration, RefuseRegistration};
use millrace_domain_chirp::{Chirp, CommandData, EventData, Settings, State, StepData};
use millrace_kernel::{Command, Event, Metadata, Value};

use crate::dice::Dice;
use crate::neighbours::Neighbours;
use crate::oracle::world::{Failure, Seen, World};
use crate::workload::{Around, Ask, Broken, Next, Place, Workload};

/// The workload.
pub struct ChirpWorkload;

impl Workload for ChirpWorkload {
    type CommandData = CommandData;
    type StepData = StepData;
    type EventData = EventData;
    type State = State;
    type Settings = Settings;
    type Domain = Chirp;
    type Producer = producer::Producer;
    type Model = model::Network;
    type Rows = rows::Rows;

    const NAME: &'static str = "chirp";

    fn settings(dice: &mut Dice) -> Settings {
        // without celebrities more is copied
        let above = if dice.per_mille(300) { 100 } else { dice.within(1, 3) as u64 };
        let below = dice.within(1, above as i64) as u64;
        // a cap that is never reached shows more of what goes on amid a history
        let cap = if dice.per_mille(500) { 1_000 } else { dice.within(2, 6) as usize };
        // most audiences are told in pieces, or none
        let at_once = if dice.per_mille(600) { dice.within(0, 2) as usize } else { 1_000 };
        Settings {
            celebrity_above: above,
            celebrity_below: below,
            timeline_cap: cap,
            fan_out_at_once: at_once,
            bucket_rows: dice.within(1, 4) as u32,
        }
    }

    fn producer(dice: &mut Dice) -> producer::Producer {
        producer::Producer::new(dice)
    }

    fn command(producer: &mut producer::Producer, dice: &mut Dice, n: usize) -> Command<CommandData> {
        producer.command(dice, n)
    }

    fn introduce(n: usize) -> Option<CommandData> {
        Some(RegisterUser { user_id: format!("new-{n}").into(), username: format!("new_{n}").into() }.into())
    }

    fn stray(_: &str) -> Option<CommandData> {
        None
    }

    fn probe(
        seen: &Seen<Self>,
        _: &Neighbours<StepData>,
        _: &Settings,
        dice: &mut Dice,
    ) -> Option<Ask<CommandData>> {
        // who has just registered follows somebody at once: nobody may say that they are unknown
        let mut users: Vec<&str> = Vec::new();
        let mut newest: Option<(i64, &str)> = None;
        for (_, event) in seen.partitions.iter().flat_map(|partition| &partition.events) {
            if let EventData::UserRegistered(e) = &event.data {
                users.push(&e.user_id);
                newest = newest.max(Some((event.recorded_at, &e.user_id)));
            }
        }
        let (_, follower) = newest?;
        let (follower_id, followee_id) = (follower.to_owned(), (*dice.pick(&users)).to_owned());
        let follow = FollowUser { follower_id: follower_id.into(), followee_id: followee_id.into() };
        Some((Metadata::default(), follow.into()))
    }

    fn routing_key(command: &CommandData) -> &str {
        match command {
            CommandData::RegisterUser(c) => &c.user_id,
            CommandData::PostChirp(c) => &c.author_id,
            CommandData::EditChirp(c) => &c.author_id,
            CommandData::DeleteChirp(c) => &c.author_id,
            CommandData::FollowUser(c) => &c.followee_id,
            CommandData::UnfollowUser(c) => &c.followee_id,
        }
    }

    fn failure(command: &CommandData) -> Option<&'static str> {
        match command {
            CommandData::RegisterUser(_) => Some("RegistrationFailed"),
            _ => None,
        }
    }

    fn step_key(step: &StepData) -> String {
        match step {
            StepData::ClaimUsername(s) => s.username.to_lowercase(),
            StepData::ConfirmRegistration(s) => s.user_id.to_string(),
            StepData::RefuseRegistration(s) => s.user_id.to_string(),
        }
    }

    fn aggregate(event: &EventData) -> String {
        match event {
            EventData::RegistrationStarted(e) => format!("User/{}", e.user_id),
            EventData::UserRegistered(e) => format!("User/{}", e.user_id),
            EventData::RegistrationRefused(e) => format!("User/{}", e.user_id),
            EventData::UsernameClaimed(e) => format!("Username/{}", e.username.to_lowercase()),
            EventData::UsernameClaimRefused(e) => format!("Username/{}", e.username.to_lowercase()),
            EventData::ChirpPosted(e) => format!("Chirp/{}/{}", e.author_id, e.chirp_id),
            EventData::ChirpEdited(e) => format!("Chirp/{}/{}", e.author_id, e.chirp_id),
            EventData::ChirpDeleted(e) => format!("Chirp/{}/{}", e.author_id, e.chirp_id),
            EventData::UserFollowed(e) => format!("FollowRelationship/{}/{}", e.followee_id, e.follower_id),
            EventData::UserUnfollowed(e) => format!("FollowRelationship/{}/{}", e.followee_id, e.follower_id),
        }
    }

    fn target(command: &CommandData) -> String {
        match command {
            CommandData::RegisterUser(c) => format!("User/{}", c.user_id),
            CommandData::PostChirp(c) => format!("Chirp/{}/{}", c.author_id, c.chirp_id),
            CommandData::EditChirp(c) => format!("Chirp/{}/{}", c.author_id, c.chirp_id),
            CommandData::DeleteChirp(c) => format!("Chirp/{}/{}", c.author_id, c.chirp_id),
            CommandData::FollowUser(c) => format!("FollowRelationship/{}/{}", c.followee_id, c.follower_id),
            CommandData::UnfollowUser(c) => {
                format!("FollowRelationship/{}/{}", c.followee_id, c.follower_id)
            }
        }
    }

    fn decide(
        model: &model::Network,
        command: &Command<CommandData>,
        around: &dyn Around,
    ) -> Result<Vec<EventData>, Vec<Broken>> {
        model.decide(command, around)
    }

    fn decide_step(model: &model::Network, step: &StepData) -> Vec<EventData> {
        model.decide_step(step)
    }

    fn apply(model: &mut model::Network, event: &Event<EventData>) {
        model.apply(event);
    }

    fn next(event: &EventData) -> Next<StepData> {
        let step = match event {
            EventData::RegistrationStarted(e) => {
                ClaimUsername { user_id: e.user_id.clone(), username: e.username.clone() }.into()
            }
            EventData::UsernameClaimed(e) => {
                ConfirmRegistration { user_id: e.user_id.clone(), username: e.username.clone() }.into()
            }
            EventData::UsernameClaimRefused(e) => RefuseRegistration {
                user_id: e.user_id.clone(),
                username: e.username.clone(),
                violations: e.violations.clone(),
            }
            .into(),
            EventData::UserRegistered(_) => return Next::Accepted,
            EventData::RegistrationRefused(e) => {
                return Next::Rejected(
                    e.violations.iter().map(|v| (v.code.clone(), v.field.clone())).collect(),
                );
            }
            _ => return Next::Nothing,
        };
        Next::Steps(vec![step])
    }

    fn state(model: &model::Network, aggregate_id: &str) -> Option<State> {
        model.state(aggregate_id)
    }

    fn made_known(event: &EventData) -> Option<String> {
        match event {
            EventData::UserRegistered(e) => Some(format!("User/{}", e.user_id)),
            _ => None,
        }
    }

    fn blur(event: &mut EventData) {
        let violations = match event {
            EventData::UsernameClaimRefused(e) => &mut e.violations,
            EventData::RegistrationRefused(e) => &mut e.violations,
            _ => return,
        };
        violations.iter_mut().for_each(|violation| violation.message.clear());
    }

    fn blur_step(step: &mut StepData) {
        if let StepData::RefuseRegistration(s) = step {
            s.violations.iter_mut().for_each(|violation| violation.message.clear());
        }
    }

    fn families() -> &'static [(&'static str, &'static [&'static str])] {
        &[
            ("chirp.users", &["user_profiles", "users_by_username"]),
            (
                "chirp.timelines",
                &[
                    "chirps",
                    "chirps_by_author",
                    "following_by_user",
                    "followers_by_user",
                    "follower_counts",
                    "following_counts",
                ],
            ),
        ]
    }

    fn fold(
        rows: &mut rows::Rows,
        settings: &Settings,
        partition: i32,
        event: &Event<EventData>,
    ) -> Vec<Place> {
        rows.fold(settings, partition, event)
    }

    fn row(rows: &rows::Rows, place: &Place) -> Option<Vec<Value>> {
        rows.row(place)
    }

    fn look(world: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        feed::look(world)
    }

    fn judge(world: &World<'_, Self>, dice: &mut Dice) -> Result<u64, Failure> {
        model::one_owner_a_name(world)?;
        feed::judge(world, dice)
    }
}
