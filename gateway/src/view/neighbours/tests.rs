//! Domains beside each other, and what is said where one is missing.

use millrace_domain_guestbook::Guestbook;
use millrace_kernel::Domain as _;
use millrace_kernel::table::parse_tables;
use millrace_runtime::Topology;

use super::*;
use crate::message::MessageTypes;

/// Domains with views, and with stores where they are asked.
#[derive(Default)]
pub(crate) struct Domains(Vec<Domain>);

/// Its name, its views and its tables.
type Domain = (String, Vec<Arc<ViewDescription>>, Option<Arc<dyn ViewStore>>);

impl Domains {
    /// One that has no others beside it.
    pub(crate) fn one(name: &str, views: &[Arc<ViewDescription>]) -> Self {
        Self(vec![(name.to_owned(), views.to_vec(), None)])
    }

    /// One more.
    pub(crate) fn and(
        mut self,
        name: &str,
        views: &[Arc<ViewDescription>],
        store: Arc<dyn ViewStore>,
    ) -> Self {
        self.0.push((name.to_owned(), views.to_vec(), Some(store)));
        self
    }

    /// One more, whose tables do not answer.
    pub(crate) fn away(mut self, name: &str, views: &[Arc<ViewDescription>]) -> Self {
        self.0.push((name.to_owned(), views.to_vec(), None));
        self
    }
}

impl Neighbours for Domains {
    fn views(&self, domain: &str) -> Option<&[Arc<ViewDescription>]> {
        self.0.iter().find(|it| it.0 == domain).map(|it| it.1.as_slice())
    }

    fn tables(&self, domain: &str) -> Option<Tables> {
        let store = self.0.iter().find(|it| it.0 == domain)?.2.clone();
        Some(Tables(Arc::new(move || {
            let away = StoreFault::Unavailable { step: "ask the tables", message: "away".to_owned() };
            store.clone().ok_or(away)
        })))
    }
}

fn described(name: &'static str, text: &str) -> Description {
    let view = |table| Arc::new(ViewDescription { table, projection: format!("{name}.f") });
    Description {
        name,
        schemas: Guestbook::SCHEMAS,
        types: MessageTypes::read(name, Guestbook::SCHEMAS.commands).unwrap(),
        views: parse_tables(text).unwrap().into_iter().map(view).collect(),
        refuses_expired: false,
        topology: Topology::new("", name),
        topics: Vec::new(),
    }
}

const TEAMS: &str = "-- Readable by: public\nCREATE TABLE members (\n  team_id text, -- x\n  user_id text, -- x\n  PRIMARY KEY ((team_id), user_id)\n) WITH comment = 'x Bound: few.';";
const NOTES: &str = "-- Readable by: user_id among teams.members\nCREATE TABLE notes (\n  id text, -- x\n  team_id text, -- x\n  PRIMARY KEY ((id))\n) WITH comment = 'x';";

#[test]
fn a_gateway_without_the_domain_that_says_who_may_read_is_none() {
    let (notes, teams) = (described("notes", NOTES), described("teams", TEAMS));
    assert_eq!(check([&notes, &teams].into_iter()), Ok(()));
    let refused = check(std::iter::once(&notes)).unwrap_err();
    for words in
        ["notes.notes", "the view members of teams", "no domain teams here", "serves both, or neither"]
    {
        assert!(refused.contains(words), "{refused}");
    }
    let other = described("teams", &TEAMS.replace("user_id", "person_id"));
    let refused = check([&notes, &other].into_iter()).unwrap_err();
    assert!(refused.contains("user_id is no part of the key of teams.members"), "{refused}");
}
