//! What domains need of each other: whether the others publish it.

use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_kernel::Published;
use millrace_kernel::readers::{Unmet, check_readers_elsewhere};

use crate::domain::{DomainEntry, tables};
use crate::error::CliError;

/// Whether the domains of this build publish what others of it look up, what they react to fits together, and the views by which
/// others say who may read have what those ask. What a domain of another build publishes shows when its topic is looked for.
///
/// # Errors
/// The first that does not, which is a bug in one of the two.
pub fn check(domains: &[Box<dyn DomainEntry>]) -> Result<(), CliError> {
    let published: Vec<_> = domains.iter().map(|entry| (entry.name(), entry.lookups())).collect();
    for entry in domains {
        let sources: Vec<_> = entry.policies().into_iter().map(|(of, _)| of).collect();
        let of_lookups = entry.lookups_elsewhere().iter().find_map(|of| wrong(entry.name(), *of, &published));
        let found =
            of_lookups.or_else(|| wrong_policies(entry.name(), &sources, entry.schemas().steps.is_some()));
        if let Some(wrong) = found {
            return Err(CliError::failed(wrong));
        }
    }
    readers(domains)
}

/// Whether the views of other domains that say who may read those of one have what is asked of them. A gateway does not start
/// without them; what else there is needs none.
fn readers(domains: &[Box<dyn DomainEntry>]) -> Result<(), CliError> {
    let tables = domains.iter().map(|entry| Ok((entry.name(), tables(&**entry)?)));
    let all = tables.collect::<Result<Vec<_>, CliError>>()?;
    let of = |name: &str| all.iter().find(|(domain, _)| *domain == name).map(|(_, tables)| tables.as_slice());
    for (domain, tables) in &all {
        match check_readers_elsewhere(domain, tables, of) {
            Ok(()) | Err(Unmet::Absent(_)) => {}
            Err(Unmet::Wrong(why)) => return Err(CliError::failed(why)),
        }
    }
    Ok(())
}

/// What is wrong when `domain` looks up `of`, where these domains publish these kinds.
fn wrong(domain: &str, of: Published, published: &[(&str, &[&str])]) -> Option<String> {
    if of.domain == domain {
        return Some(format!(
            "{domain} looks up {of} as if it were another domain's: of its own kinds it is asked whether one `exists`, and \
             they need no declaration"
        ));
    }
    let (_, kinds) = published.iter().find(|(name, _)| *name == of.domain)?;
    let publishes = match kinds {
        _ if kinds.contains(&of.kind) => return None,
        [] => "nothing".to_owned(),
        kinds => kinds.join(", "),
    };
    Some(format!(
        "{domain} looks up {of}, and {other} does not publish it (it publishes {publishes}): mark {kind} with \"lookup\": true \
         in schemas/{other}/state.avsc, and run `millrace topics apply {other}`",
        other = of.domain,
        kind = of.kind
    ))
}

/// What is wrong when `domain` reacts to the events of these domains.
fn wrong_policies(domain: &str, sources: &[&str], has_steps: bool) -> Option<String> {
    if sources.contains(&domain) {
        return Some(format!(
            "{domain} has a policy for its own events: what follows from those, `follow_up` says"
        ));
    }
    let twice = sources.iter().enumerate().find(|(at, of)| sources[..*at].contains(of));
    if let Some((_, of)) = twice {
        return Some(format!(
            "{domain} has two policies for the events of {of}: the steps that one event asks for are numbered together, so \
             make one of both"
        ));
    }
    let first = sources.first().filter(|_| !has_steps)?;
    Some(format!(
        "{domain} has a policy for the events of {first} and no steps: write schemas/{domain}/steps.avsc"
    ))
}

/// What a domain needs of another one.
pub struct Need {
    /// The topic.
    topic: Arc<str>,
    /// Whose it is.
    of: &'static str,
    /// Who needs it, and what for.
    says: String,
}

impl Need {
    /// All that a domain needs of others.
    #[must_use]
    pub fn all(entry: &dyn DomainEntry, prefix: &str) -> Vec<Self> {
        let (names, domain) = (entry.topology(prefix), entry.name());
        let lookups = entry.lookups_elsewhere().iter().map(|of| Self {
            topic: names.lookup_elsewhere(*of),
            of: of.domain,
            says: format!("{domain} looks up {of}"),
        });
        let policies = entry.policies().into_iter().map(|(of, _)| Self {
            topic: names.events_elsewhere(of),
            of,
            says: format!("{domain} reacts to the events of {of}"),
        });
        lookups.chain(policies).collect()
    }
}

/// Which of these topics are neither there nor among those that are about to be made, each with what is to be done.
///
/// # Errors
/// What `is_there` says.
pub fn missing<E>(
    needs: &[Need],
    declared: &BTreeSet<String>,
    mut is_there: impl FnMut(&str) -> Result<bool, E>,
) -> Result<Vec<String>, E> {
    let mut found = Vec::new();
    for Need { topic, of, says } in needs {
        if !declared.contains(&**topic) && !is_there(topic)? {
            found.push(format!(
                "{topic} does not exist, and {says}: that does not begin until `millrace topics apply {of}` has made it, with a \
                 build in which {of} publishes it"
            ));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use millrace_testkit::neighbours::{Clubs, People};

    use super::*;
    use crate::domain::domain;

    const USER: Published = Published::of("identity", "User");

    #[test]
    fn what_is_looked_up_must_be_published() {
        let with = |kinds| wrong("projects", USER, &[("projects", &[]), ("identity", kinds)]);
        assert_eq!(with(&["Team", "User"]), None);
        for (kinds, says) in [(&[][..], "publishes nothing"), (&["Team", "Role"], "publishes Team, Role")] {
            let text = with(kinds).unwrap();
            for word in ["projects looks up identity.User", says, "schemas/identity/state.avsc"] {
                assert!(text.contains(word), "{text}");
            }
        }
        assert_eq!(wrong("projects", USER, &[("projects", &[])]), None, "another build may have the domain");
        assert!(wrong("identity", USER, &[("identity", &["User"])]).unwrap().contains("exists"));
        let both: Vec<Box<dyn DomainEntry>> = vec![Box::new(domain::<Clubs>()), Box::new(domain::<People>())];
        assert!(check(&both).is_ok());
    }

    #[test]
    fn policies_must_fit_together() {
        let with = |sources: &[&str], has_steps| wrong_policies("projects", sources, has_steps);
        assert_eq!(with(&["identity", "billing"], true), None);
        assert_eq!(with(&[], false), None);
        for (sources, has_steps, says) in [
            (&["projects"][..], true, "follow_up"),
            (&["identity", "billing", "identity"], true, "two policies for the events of identity"),
            (&["identity"], false, "schemas/projects/steps.avsc"),
        ] {
            let text = with(sources, has_steps).unwrap();
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn what_nobody_has_made_or_is_about_to_make_is_missing() {
        let needs = Need::all(&domain::<Clubs>(), "p.");
        let topics: Vec<&str> = needs.iter().map(|need| &*need.topic).collect();
        assert_eq!(topics, ["p.people.person.lookup", "p.people.events"]);
        let look = |declared: &[&str], there: &[&str]| {
            let declared = declared.iter().map(|it| (*it).to_owned()).collect();
            missing::<()>(&needs, &declared, |asked| Ok(there.contains(&asked)))
        };
        assert_eq!(look(&topics, &[]), Ok(Vec::new()));
        assert_eq!(look(&[], &topics), Ok(Vec::new()));
        let found = look(&["p.clubs.events"], &[]).unwrap();
        let [lookup, events] = &found[..] else { panic!("{found:?}") };
        for word in [topics[0], "clubs looks up people.Person", "millrace topics apply people"] {
            assert!(lookup.contains(word), "{lookup}");
        }
        assert!(events.contains("p.people.events") && events.contains("reacts to the events"), "{events}");
    }
}
