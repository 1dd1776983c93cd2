//! Short names for messages, so that tables of tests read well.

pub mod dead;
pub mod fragile;
pub mod late;
pub mod meanwhile;
pub mod network;
pub mod tables;
pub mod turns;

use millrace_domain_chirp::messages::{CommandData, EventData, commands, events};

pub fn register(user_id: &str, username: &str) -> CommandData {
    commands::RegisterUser { user_id: user_id.into(), username: username.into() }.into()
}

pub fn post(author_id: &str, chirp_id: &str, content: &str) -> CommandData {
    let (chirp_id, author_id, content) = (chirp_id.into(), author_id.into(), content.into());
    commands::PostChirp { chirp_id, author_id, content }.into()
}

pub fn edit(author_id: &str, chirp_id: &str, content: &str) -> CommandData {
    let (chirp_id, author_id, content) = (chirp_id.into(), author_id.into(), content.into());
    commands::EditChirp { chirp_id, author_id, content }.into()
}

pub fn delete(author_id: &str, chirp_id: &str) -> CommandData {
    commands::DeleteChirp { chirp_id: chirp_id.into(), author_id: author_id.into() }.into()
}

pub fn follow(follower_id: &str, followee_id: &str) -> CommandData {
    commands::FollowUser { follower_id: follower_id.into(), followee_id: followee_id.into() }.into()
}

pub fn unfollow(follower_id: &str, followee_id: &str) -> CommandData {
    commands::UnfollowUser { follower_id: follower_id.into(), followee_id: followee_id.into() }.into()
}

pub fn started(user_id: &str, username: &str) -> EventData {
    events::RegistrationStarted { user_id: user_id.into(), username: username.into() }.into()
}

pub fn registered(user_id: &str) -> EventData {
    events::UserRegistered { user_id: user_id.into(), username: format!("name_{user_id}").into() }.into()
}

pub fn posted(author_id: &str, chirp_id: &str, content: &str) -> EventData {
    let (chirp_id, author_id, content) = (chirp_id.into(), author_id.into(), content.into());
    events::ChirpPosted { chirp_id, author_id, content }.into()
}

pub fn edited(author_id: &str, chirp_id: &str, content: &str) -> EventData {
    let (chirp_id, author_id, content) = (chirp_id.into(), author_id.into(), content.into());
    events::ChirpEdited { chirp_id, author_id, content }.into()
}

pub fn deleted(author_id: &str, chirp_id: &str) -> EventData {
    events::ChirpDeleted { chirp_id: chirp_id.into(), author_id: author_id.into() }.into()
}

pub fn followed(follower_id: &str, followee_id: &str) -> EventData {
    events::UserFollowed { follower_id: follower_id.into(), followee_id: followee_id.into() }.into()
}

pub fn unfollowed(follower_id: &str, followee_id: &str) -> EventData {
    events::UserUnfollowed { follower_id: follower_id.into(), followee_id: followee_id.into() }.into()
}
