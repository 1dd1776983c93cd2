//! Chirp: posting, editing and deleting.

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, NOT_FOUND};
use millrace_kernel::{AggregateId, Rejections, StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::commands::{DeleteChirp, EditChirp, PostChirp};
use crate::messages::events::{ChirpDeleted, ChirpEdited, ChirpPosted};
use crate::messages::state::{Chirp, State};
use crate::{rules, user};

/// The kind of aggregate.
pub const KIND: &str = "Chirp";

/// `Chirp/<author_id>/<chirp_id>`
#[must_use]
pub fn id(author_id: &str, chirp_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[author_id, chirp_id])
}

pub(crate) fn post(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &PostChirp,
) -> Result<ChirpPosted, Rejections> {
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, &command.author_id, "the user named in author_id", states);
    let states_of_author = states.filter(|_| millrace_kernel::id::is_valid(&command.author_id));
    if rejections.well_formed("chirp_id", &command.chirp_id) {
        let chirp = states_of_author.and_then(|it| it.get(&id(&command.author_id, &command.chirp_id)));
        rejections.require(chirp.is_none(), || {
            Violation::on(
                ALREADY_EXISTS,
                "chirp_id",
                format!(
                    "{} has used chirp id {} before; choose another",
                    command.author_id, command.chirp_id
                ),
            )
        });
    }
    author_exists(&mut rejections, states, &command.author_id);
    rejections.prose("content", &command.content);
    rejections.or(|| ChirpPosted {
        chirp_id: command.chirp_id.clone(),
        author_id: command.author_id.clone(),
        content: command.content.clone(),
    })
}

pub(crate) fn edit(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &EditChirp,
) -> Result<ChirpEdited, Rejections> {
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, &command.author_id, "the user named in author_id", states);
    chirp_exists(&mut rejections, states, &command.author_id, &command.chirp_id);
    author_exists(&mut rejections, states, &command.author_id);
    rejections.prose("content", &command.content);
    rejections.or(|| ChirpEdited {
        chirp_id: command.chirp_id.clone(),
        author_id: command.author_id.clone(),
        content: command.content.clone(),
    })
}

pub(crate) fn delete(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &DeleteChirp,
) -> Result<ChirpDeleted, Rejections> {
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, &command.author_id, "the user named in author_id", states);
    chirp_exists(&mut rejections, states, &command.author_id, &command.chirp_id);
    // that the author is known follows from the chirp
    rejections.well_formed("author_id", &command.author_id);
    rejections
        .or(|| ChirpDeleted { chirp_id: command.chirp_id.clone(), author_id: command.author_id.clone() })
}

/// The author must be an id and a user. Where there are no `states` to ask, the user may be there or not.
fn author_exists(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    author_id: &str,
) {
    if rejections.well_formed("author_id", author_id) {
        let exists = states.is_none_or(|states| user::exists_here(states, author_id));
        rules::user_exists(rejections, "author_id", author_id, exists);
    }
}

/// The chirp must have been posted and not deleted. A chirp is named by its author and its
/// id, so where the author's id is malformed there is nothing to ask; nor where there are no `states`.
fn chirp_exists(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    author_id: &str,
    chirp_id: &str,
) {
    if !rejections.well_formed("chirp_id", chirp_id) || !millrace_kernel::id::is_valid(author_id) {
        return;
    }
    let Some(states) = states else { return };
    match states.get(&id(author_id, chirp_id)).as_deref() {
        Some(State::Chirp(Chirp { deleted: false, .. })) => {}
        Some(State::Chirp(_)) => rejections.push(Violation::on(
            INVALID_STATE,
            "chirp_id",
            format!("chirp {chirp_id} of {author_id} is deleted, which is for good"),
        )),
        _ => rejections.push(Violation::on(
            NOT_FOUND,
            "chirp_id",
            format!("{author_id} has no chirp {chirp_id}; a chirp is named by its author and its id"),
        )),
    }
}

/// The state after an event of Chirp.
pub(crate) fn evolve(state: Option<State>, event: &EventData, recorded_at: i64) -> Option<State> {
    match (event, state) {
        (EventData::ChirpPosted(e), _) => Some(State::Chirp(Chirp {
            author_id: e.author_id.clone(),
            content: e.content.clone(),
            posted_at: recorded_at,
            edited_at: None,
            deleted: false,
        })),
        (EventData::ChirpEdited(e), Some(State::Chirp(chirp))) => {
            Some(State::Chirp(Chirp { content: e.content.clone(), edited_at: Some(recorded_at), ..chirp }))
        }
        // the text goes: what is taken back must not linger in the state topic
        (EventData::ChirpDeleted(_), Some(State::Chirp(chirp))) => {
            Some(State::Chirp(Chirp { content: Text::default(), deleted: true, ..chirp }))
        }
        (_, state) => state,
    }
}
