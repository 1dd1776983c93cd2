//! The domain inside the whole engine, in memory, beside projects, which says who is what and which project ends, and identity,
//! which says who there is.

use std::collections::BTreeMap;

use millrace_domain_estimation::{CommandData, Estimations, State};
use millrace_domain_identity::Identity;
use millrace_domain_identity::messages::commands::AddUser;
use millrace_domain_projects::Projects;
use millrace_domain_projects::messages::commands::{
    CreateMembership, CreateProject, DeleteMembership, DeleteProject,
};
use millrace_kernel::{Command, Metadata, NoSettings, Outcome, StateData};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

/// What each is in team `t`.
pub const TEAM: [(&str, &str); 4] =
    [("ann", "owner"), ("bob", "member"), ("ida", "admin"), ("zoe", "viewer")];

/// All three domains on one log.
pub struct Whole {
    pub projects: Pipeline<Projects>,
    pub estimation: Pipeline<Estimations>,
    sent: usize,
}

impl Whole {
    /// With the team and these projects of it, and nobody at work yet but who keeps those.
    pub fn new(partitions: i32, projects: &[&str]) -> Self {
        let engine = || ProcessorSettings { batch_max_records: 4, ..ProcessorSettings::default() };
        let mut identity = Pipeline::<Identity>::new(1, NoSettings {}, engine());
        let mut of_projects = Pipeline::<Projects>::beside(&identity, 3, NoSettings {}, engine());
        let estimation = Pipeline::<Estimations>::beside(&of_projects, partitions, NoSettings {}, engine());
        identity.start_processor();
        for (user, _) in TEAM {
            let data = AddUser {
                user_id: user.into(),
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
        of_projects.start_processor();
        let mut whole = Self { projects: of_projects, estimation, sent: 0 };
        for (user, role) in TEAM {
            whole.manage(CreateMembership {
                membership_id: "m".into(),
                team_id: "t".into(),
                user_id: user.into(),
                role: role.into(),
            });
            whole.projects.settle();
        }
        for project in projects {
            whole.manage(CreateProject {
                project_id: (*project).into(),
                name: "Mill race".into(),
                prefix: "MIL".into(),
                description: "".into(),
                user_id: "ann".into(),
                team_id: "t".into(),
                active: true,
                public: false,
                column_order: vec!["todo".into()],
            });
        }
        whole.projects.settle();
        whole
    }

    fn manage(&mut self, data: impl Into<millrace_domain_projects::CommandData>) {
        self.sent += 1;
        let (id, metadata) = (format!("of-projects-{}", self.sent).into(), Metadata::default());
        self.projects.send(&Command { id, metadata, data: data.into() });
    }

    pub fn send(&self, id: &str, actor: Option<&str>, data: CommandData) {
        let metadata = Metadata { user_id: actor.map(Into::into), ..Metadata::default() };
        self.estimation.send(&Command { id: id.into(), metadata, data });
    }

    /// A project is deleted, at some time.
    pub fn delete(&mut self, project: &str) {
        self.manage(DeleteProject { project_id: project.into() });
    }

    /// Somebody leaves the team, at some time.
    pub fn leave(&mut self, user: &str) {
        self.manage(DeleteMembership { team_id: "t".into(), user_id: user.into() });
    }

    /// What was answered first to a command.
    pub fn answer(&self, id: &str) -> Option<Outcome> {
        self.estimation.outcomes().into_iter().find(|it| it.command_id == id && !it.duplicate)
    }

    /// Sends a command and waits; the reasons why it was refused, as (code, field).
    pub fn ask(&mut self, id: &str, actor: Option<&str>, data: CommandData) -> Vec<(String, String)> {
        self.send(id, actor, data);
        self.settle();
        let violations = self.answer(id).expect("it is answered").violations;
        violations.into_iter().map(|it| (it.code, it.field.unwrap_or_default())).collect()
    }

    pub fn settle(&mut self) {
        self.projects.settle();
        self.estimation.settle();
    }

    /// The newest states, by id.
    pub fn states(&self) -> BTreeMap<String, State> {
        let mut states = BTreeMap::new();
        for record in self.estimation.log.committed_records(&self.estimation.names().state) {
            let key =
                record.key.as_deref().map(String::from_utf8_lossy).expect("a state has a key").into_owned();
            let read =
                |value: &[u8]| self.estimation.codecs().state.decode(value).expect("a state can be read");
            match record.value.as_deref().and_then(|value| State::from_record(read(value)).3) {
                Some(state) => states.insert(key, state),
                None => states.remove(&key),
            };
        }
        states
    }
}
