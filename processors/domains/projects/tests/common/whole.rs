//! The domain inside the whole engine, in memory, beside identity, which says who is there and who goes.

use std::collections::BTreeMap;

use millrace_domain_identity::Identity;
use millrace_domain_identity::messages::commands::{AddUser, RemoveUser};
use millrace_domain_projects::{CommandData, Projects, State};
use millrace_kernel::{Command, Metadata, NoSettings, Outcome, StateData};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

/// Both domains on one log.
pub struct Whole {
    pub identity: Pipeline<Identity>,
    pub projects: Pipeline<Projects>,
}

impl Whole {
    /// With these users, and nobody at work yet but who keeps identity.
    pub fn new(partitions: i32, users: &[&str]) -> Self {
        let engine = || ProcessorSettings { batch_max_records: 4, ..ProcessorSettings::default() };
        let mut identity = Pipeline::<Identity>::new(3, NoSettings {}, engine());
        let projects = Pipeline::<Projects>::beside(&identity, partitions, NoSettings {}, engine());
        identity.start_processor();
        for user in users {
            let data = AddUser {
                user_id: (*user).into(),
                auth0_id: "x".into(),
                email: "ann@example.org".into(),
                email_verified: false,
                first_name: "".into(),
                last_name: "".into(),
                picture: "".into(),
                locale: "".into(),
            };
            let (id, metadata) = (format!("add-{user}").into(), Metadata::default());
            identity.send(&Command { id, metadata, data: data.into() });
        }
        identity.settle();
        Self { identity, projects }
    }

    pub fn send(&self, id: &str, actor: Option<&str>, data: CommandData) {
        let metadata = Metadata { user_id: actor.map(Into::into), ..Metadata::default() };
        self.projects.send(&Command { id: id.into(), metadata, data });
    }

    /// Somebody is removed from identity, at some time.
    pub fn remove(&self, user: &str) {
        let (id, metadata) = (format!("remove-{user}").into(), Metadata::default());
        let data = RemoveUser { user_id: user.into() }.into();
        self.identity.send(&Command { id, metadata, data });
    }

    /// What was answered first to a command.
    pub fn answer(&self, id: &str) -> Option<Outcome> {
        self.projects.outcomes().into_iter().find(|it| it.command_id == id && !it.duplicate)
    }

    /// Sends a command and waits; the reasons why it was refused, as (code, field).
    pub fn ask(&mut self, id: &str, actor: Option<&str>, data: CommandData) -> Vec<(String, String)> {
        self.send(id, actor, data);
        self.settle();
        let violations = self.answer(id).expect("it is answered").violations;
        violations.into_iter().map(|it| (it.code, it.field.unwrap_or_default())).collect()
    }

    pub fn settle(&mut self) {
        self.identity.settle();
        self.projects.settle();
    }

    /// The newest states, by id.
    pub fn states(&self) -> BTreeMap<String, State> {
        let mut states = BTreeMap::new();
        for record in self.projects.log.committed_records(&self.projects.names().state) {
            let key =
                record.key.as_deref().map(String::from_utf8_lossy).expect("a state has a key").into_owned();
            let read =
                |value: &[u8]| self.projects.codecs().state.decode(value).expect("a state can be read");
            match record.value.as_deref().and_then(|value| State::from_record(read(value)).3) {
                Some(state) => states.insert(key, state),
                None => states.remove(&key),
            };
        }
        states
    }
}
