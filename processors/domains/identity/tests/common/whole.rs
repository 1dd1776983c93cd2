//! The domain inside the whole engine, in memory, and what is claimed in it.

use std::collections::BTreeMap;

use millrace_domain_identity::messages::state::User;
use millrace_domain_identity::user::status;
use millrace_domain_identity::{CommandData, Identity, State};
use millrace_kernel::{Command, Metadata, NoSettings, Outcome, StateData};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

pub type Whole = Pipeline<Identity>;

/// An empty pipeline without processes.
pub fn whole(partitions: i32) -> Whole {
    let engine = ProcessorSettings { batch_max_records: 4, ..ProcessorSettings::default() };
    Pipeline::new(partitions, NoSettings {}, engine)
}

pub fn send(pipeline: &Whole, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

/// What was answered first to a command.
pub fn answer(pipeline: &Whole, id: &str) -> Option<Outcome> {
    pipeline.outcomes().into_iter().find(|it| it.command_id == id && !it.duplicate)
}

/// Sends a command and waits; the reasons why it was refused, as (code, field).
pub fn ask(pipeline: &mut Whole, id: &str, data: CommandData) -> Vec<(String, String)> {
    send(pipeline, id, data);
    pipeline.settle();
    let violations = answer(pipeline, id).expect("it is answered").violations;
    violations.into_iter().map(|it| (it.code, it.field.unwrap_or_default())).collect()
}

/// That an address is another user's.
pub fn is_taken() -> Vec<(String, String)> {
    vec![("AlreadyExists".to_owned(), "email".to_owned())]
}

/// The newest states, by id.
pub fn states(pipeline: &Whole) -> BTreeMap<String, State> {
    let mut states = BTreeMap::new();
    for record in pipeline.log.committed_records(&pipeline.names().state) {
        let key = record.key.as_deref().map(String::from_utf8_lossy).expect("a state has a key").into_owned();
        let read = |value: &[u8]| pipeline.codecs().state.decode(value).expect("a state can be read");
        match record.value.as_deref().and_then(|value| State::from_record(read(value)).3) {
            Some(state) => states.insert(key, state),
            None => states.remove(&key),
        };
    }
    states
}

/// Who has each claim.
pub fn claims(pipeline: &Whole) -> BTreeMap<String, String> {
    let of_claim = |(id, state): (String, State)| {
        let owner = state.email_claim()?.user_id.to_string();
        Some((id.strip_prefix("EmailClaim/")?.to_owned(), owner))
    };
    states(pipeline).into_iter().filter_map(of_claim).collect()
}

/// Users, by id.
pub fn users(pipeline: &Whole) -> BTreeMap<String, User> {
    let users = states(pipeline).into_values().filter_map(|state| state.user().cloned());
    users.map(|user| (user.user_id.to_string(), user)).collect()
}

/// All is at rest, and whoever has a claim knows of it: those who exist have theirs, and nobody else has any.
pub fn is_consistent(pipeline: &Whole, what: &str) {
    let mut expected = BTreeMap::new();
    for (user_id, user) in users(pipeline) {
        assert_eq!(user.change, None, "{what}: {user_id} is at rest");
        assert_ne!(&*user.status, status::ADDING, "{what}: {user_id}");
        assert!(
            user.status == status::ACTIVE || user.email_claims.is_empty(),
            "{what}: {user_id} has given all up"
        );
        assert!(
            user.status != status::ACTIVE || user.email_verified != user.email_claims.is_empty(),
            "{what}: {user_id} has a claim exactly on an address that is verified"
        );
        for claim in &user.email_claims {
            let before = expected.insert(claim.to_string(), user_id.clone());
            assert_eq!(before, None, "{what}: {claim} is one user's");
        }
    }
    assert_eq!(claims(pipeline), expected, "{what}: what is claimed");
}
