//! Other domains, where one says who may read the views of another.

use std::fmt::{Debug, Formatter, Result as Written};
use std::sync::Arc;

use millrace_kernel::Table;
use millrace_kernel::readers::{Unmet, check_readers_elsewhere};
use millrace_ports::{StoreFault, ViewStore};

use crate::ports::{Description, DomainLink, ViewDescription};

/// The domains of a gateway.
pub(crate) trait Neighbours {
    /// The views of a domain, if it is one of them.
    fn views(&self, domain: &str) -> Option<&[Arc<ViewDescription>]>;

    /// Its tables.
    fn tables(&self, domain: &str) -> Option<Tables>;
}

/// The way to the tables of a domain.
#[derive(Clone)]
pub(crate) struct Tables(Arc<Open>);

/// Opens the tables of a domain.
type Open = dyn Fn() -> Result<Arc<dyn ViewStore>, StoreFault> + Send + Sync;

impl Tables {
    /// Those of this domain.
    pub(crate) fn of(link: Arc<dyn DomainLink>) -> Self {
        Self(Arc::new(move || link.tables()))
    }

    /// Them, in the versions that answer now. It may wait for them.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn open(&self) -> Result<Arc<dyn ViewStore>, StoreFault> {
        (self.0)()
    }
}

impl Debug for Tables {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str("Tables")
    }
}

/// Whether each view of these domains that another domain is to say the readers of can ask it. Where it cannot, nobody could
/// read those views, and nobody would know why.
///
/// # Errors
/// The first that cannot.
pub(crate) fn check<'d>(domains: impl Iterator<Item = &'d Description> + Clone) -> Result<(), String> {
    let tables =
        |domain: &Description| -> Vec<Table> { domain.views.iter().map(|view| view.table.clone()).collect() };
    let all: Vec<(&str, Vec<Table>)> = domains.map(|domain| (domain.name, tables(domain))).collect();
    let of = |name: &str| all.iter().find(|(domain, _)| *domain == name).map(|(_, tables)| tables.as_slice());
    for (domain, tables) in &all {
        check_readers_elsewhere(domain, tables, of).map_err(|unmet| match unmet {
            Unmet::Absent(why) => format!("{why}: a gateway serves both, or neither"),
            Unmet::Wrong(why) => why,
        })?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use millrace_kernel::table::parse_tables;

    use super::*;

    /// Domains with views, and with stores where they are asked.
    #[derive(Default)]
    pub(crate) struct Domains(Vec<(String, Vec<Arc<ViewDescription>>, Option<Arc<dyn ViewStore>>)>);

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
        let views = parse_tables(text).unwrap().into_iter().map(view).collect();
        Description { name, views, ..crate::live::tests::System::description() }
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
        assert!(refused.contains("user_id is no part of the key of members"), "{refused}");
    }
}
