//! What the configuration of a domain's topics must be for the promises of `docs/guarantees.md` to hold.
//!
//! A deviation by which records vanish that nobody can make again stops the domain before it decides
//! anything; any other is said and named by `millrace status`. `topics/<d>.toml` declares more than this;
//! here stands only what a promise rests on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use millrace_ports::log::TopicConfig;
use millrace_ports::{Log, LogFault};
use serde::Serialize;
use thiserror::Error;

use crate::advice::{Advice, Advise};
use crate::processor::looked_up::LookupTopics;
use crate::settings::ProcessorSettings;
use crate::topology::Topology;

/// Kafka's default of `max.message.bytes`, by which it is decided what can be written.
const MAX_MESSAGE_BYTES: u64 = 1_048_588;

/// A setting of a topic that breaks a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// The topic.
    pub topic: Arc<str>,
    /// The setting, as the broker names it.
    pub key: &'static str,
    /// What it is set to.
    pub found: String,
    /// What it should be.
    pub wanted: String,
    /// What follows from it.
    pub why: &'static str,
    /// Whether nothing is decided while it is so.
    pub stops: bool,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, key, found, wanted, why, .. } = self;
        write!(f, "{topic}: {key} is {found} and should be {wanted}: {why}")
    }
}

/// Why a domain does not begin to decide.
#[derive(Debug, Error)]
pub enum TopicsFault {
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// Topics are configured so that records vanish.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Deviating(Vec<Deviation>),
}

impl Advise for TopicsFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Log(fault) => fault.advice(),
            Self::Deviating(_) => Advice {
                next: "nothing is decided in this domain until the topics are configured as declared",
                action: "see `millrace topics plan`, then `millrace topics apply`; then `millrace verify`, as \
                         records may be gone already",
            },
        }
    }
}

/// Looks at the topics of a domain; what deviates and does not stop it.
///
/// # Errors
/// [`TopicsFault`]. Without the right to look, nothing is known to deviate.
pub fn check(
    log: &dyn Log,
    names: &Topology,
    lookups: &LookupTopics,
    settings: &ProcessorSettings,
) -> Result<Vec<Deviation>, TopicsFault> {
    let found = deviations(names, lookups, settings, &log.topic_configs(&topics(names, lookups))?);
    match found.iter().any(|it| it.stops) {
        true => Err(TopicsFault::Deviating(found.into_iter().filter(|it| it.stops).collect())),
        false => Ok(found),
    }
}

/// The topics that are looked at.
#[must_use]
pub fn topics(names: &Topology, lookups: &LookupTopics) -> Vec<Arc<str>> {
    names.own().into_iter().chain(lookups.all()).cloned().collect()
}

/// What of `configs` breaks a promise. A topic or a setting that is not among them breaks none.
#[must_use]
pub fn deviations(
    names: &Topology,
    lookups: &LookupTopics,
    settings: &ProcessorSettings,
    configs: &BTreeMap<Arc<str>, TopicConfig>,
) -> Vec<Deviation> {
    let mut all = Vec::new();
    for topic in [&names.state].into_iter().chain(lookups.all()) {
        let Some(mut look) = Look::at(topic, configs, &mut all) else { continue };
        look.policy(
            true,
            "records of aggregates that did not change for a while vanish, and these begin anew",
        );
        look.least(
            "delete.retention.ms",
            settings.state_max_age_seconds.saturating_mul(1_000),
            false,
            "a copy of the state younger than processor.state_max_age_seconds may have missed what ended",
        );
    }
    let kept = "events are the source of truth, and nobody can make them again";
    if let Some(mut look) = Look::at(&names.events, configs, &mut all) {
        look.policy(false, kept);
        for key in ["retention.ms", "retention.bytes"] {
            look.for_ever(key, true, kept);
        }
    }
    if let Some(mut look) = Look::at(&names.steps, configs, &mut all) {
        look.policy(false, "of the steps of a key all but the newest vanish, decided or not");
        let why = "a partition that stands still for longer loses steps, and what they have reserved stays reserved";
        for key in ["retention.ms", "retention.bytes"] {
            look.for_ever(key, false, why);
        }
    }
    let written = [&names.steps, &names.events, &names.state, &names.outcomes];
    for topic in written.into_iter().chain(lookups.own.iter().map(|(_, topic)| topic)) {
        if let Some(mut look) = Look::at(topic, configs, &mut all) {
            let why = "a partition stands still at the first decision of which something is larger";
            look.least("max.message.bytes", MAX_MESSAGE_BYTES, false, why);
        }
    }
    for topic in [&names.commands, &names.dead] {
        if let Some(mut look) = Look::at(topic, configs, &mut all) {
            look.policy(false, "of the commands of a key all but the newest vanish, decided or not");
        }
    }
    if let Some(mut look) = Look::at(&names.commands, configs, &mut all) {
        let why = "a wrong clock of this machine or of a producer is not noticed";
        look.is("message.timestamp.type", "LogAppendTime", why);
    }
    for topic in [&names.state, &names.outcomes] {
        if let Some(mut look) = Look::at(topic, configs, &mut all) {
            let why = "a restore goes by the times that processors gave";
            look.is("message.timestamp.type", "CreateTime", why);
        }
    }
    if let Some(mut look) = Look::at(&names.outcomes, configs, &mut all) {
        look.least(
            "retention.ms",
            settings.dedup_window_seconds.saturating_mul(1_000),
            false,
            "the window of processor.dedup_window_seconds cannot be restored: a repeated command may be decided twice",
        );
    }
    all
}

/// A topic that is looked at.
struct Look<'a> {
    topic: &'a Arc<str>,
    config: &'a TopicConfig,
    all: &'a mut Vec<Deviation>,
}

impl<'a> Look<'a> {
    fn at(
        topic: &'a Arc<str>,
        configs: &'a BTreeMap<Arc<str>, TopicConfig>,
        all: &'a mut Vec<Deviation>,
    ) -> Option<Self> {
        configs.get(topic).map(|config| Self { topic, config, all })
    }

    fn add(&mut self, key: &'static str, wanted: &str, stops: bool, why: &'static str) {
        let found = self.config.get(key).cloned().unwrap_or_default();
        let (topic, wanted) = (Arc::clone(self.topic), wanted.to_owned());
        self.all.push(Deviation { topic, key, found, wanted, why, stops });
    }

    /// Whether records are deleted by key or by age: one of both, and not the other.
    fn policy(&mut self, by_key: bool, why: &'static str) {
        let wanted = if by_key { "compact" } else { "delete" };
        if self.config.get("cleanup.policy").is_some_and(|found| found != wanted) {
            self.add("cleanup.policy", wanted, true, why);
        }
    }

    fn for_ever(&mut self, key: &'static str, stops: bool, why: &'static str) {
        if self.number(key).is_some_and(|limit| limit >= 0) {
            self.add(key, "-1", stops, why);
        }
    }

    fn least(&mut self, key: &'static str, least: u64, stops: bool, why: &'static str) {
        let is_less = |found: i64| u64::try_from(found).is_ok_and(|found| found < least);
        if self.number(key).is_some_and(is_less) {
            self.add(key, &format!("at least {least}"), stops, why);
        }
    }

    fn is(&mut self, key: &'static str, wanted: &str, why: &'static str) {
        if self.config.get(key).is_some_and(|found| found != wanted) {
            self.add(key, wanted, false, why);
        }
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.config.get(key)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::Published;

    use super::*;

    /// What `topics/<d>.toml` declares, and the broker's defaults.
    fn declared(names: &Topology, lookup: &Arc<str>) -> BTreeMap<Arc<str>, TopicConfig> {
        let config = |policy: &str, retention: &str, stamps: &str| {
            TopicConfig::from([
                ("cleanup.policy".to_owned(), policy.to_owned()),
                ("retention.ms".to_owned(), retention.to_owned()),
                ("retention.bytes".to_owned(), "-1".to_owned()),
                ("delete.retention.ms".to_owned(), "86400000".to_owned()),
                ("message.timestamp.type".to_owned(), stamps.to_owned()),
                ("max.message.bytes".to_owned(), "1048588".to_owned()),
            ])
        };
        BTreeMap::from([
            (Arc::clone(&names.commands), config("delete", "604800000", "LogAppendTime")),
            (Arc::clone(&names.steps), config("delete", "-1", "CreateTime")),
            (Arc::clone(&names.events), config("delete", "-1", "CreateTime")),
            (Arc::clone(&names.state), config("compact", "604800000", "CreateTime")),
            (Arc::clone(lookup), config("compact", "604800000", "CreateTime")),
            (Arc::clone(&names.outcomes), config("delete", "86400000", "CreateTime")),
            (Arc::clone(&names.dead), config("delete", "2592000000", "CreateTime")),
        ])
    }

    #[test]
    fn each_setting_that_breaks_a_promise_is_named() {
        let names = Topology::new("", "chirp");
        let elsewhere = Published::of("identity", "User");
        let lookups = LookupTopics::new(&names, &["User"], &[elsewhere]);
        let (own, other) = (&names.lookup("User"), &names.lookup_elsewhere(elsewhere));
        let settings = ProcessorSettings::default();
        let mut good = declared(&names, own);
        good.insert(Arc::clone(other), good[own].clone());
        assert_eq!(deviations(&names, &lookups, &settings, &good), []);
        let rows = [
            (&names.state, "cleanup.policy", "delete", true),
            (&names.state, "cleanup.policy", "compact,delete", true),
            (own, "cleanup.policy", "delete", true),
            (other, "cleanup.policy", "delete", true),
            (&names.state, "delete.retention.ms", "3600000", false),
            (own, "delete.retention.ms", "3600000", false),
            (other, "delete.retention.ms", "3600000", false),
            (&names.state, "message.timestamp.type", "LogAppendTime", false),
            (&names.events, "cleanup.policy", "compact", true),
            (&names.events, "retention.ms", "604800000", true),
            (&names.events, "retention.bytes", "1000000000", true),
            (&names.steps, "cleanup.policy", "compact", true),
            (&names.steps, "retention.ms", "604800000", false),
            (&names.commands, "cleanup.policy", "compact,delete", true),
            (&names.commands, "message.timestamp.type", "CreateTime", false),
            (&names.dead, "cleanup.policy", "compact", true),
            (&names.outcomes, "retention.ms", "60000", false),
            (&names.events, "max.message.bytes", "150", false),
            (&names.steps, "max.message.bytes", "1000000", false),
            (own, "max.message.bytes", "1048587", false),
            (&names.outcomes, "message.timestamp.type", "LogAppendTime", false),
        ];
        for (topic, key, value, stops) in rows {
            let mut configs = good.clone();
            configs.get_mut(topic).unwrap().insert(key.to_owned(), value.to_owned());
            let found = deviations(&names, &lookups, &settings, &configs);
            let [found] = &found[..] else { panic!("{topic} {key}={value}: {found:?}") };
            assert_eq!((&found.topic, found.key, &*found.found, found.stops), (topic, key, value, stops));
            assert!(found.to_string().contains(&format!("{topic}: {key} is {value}")), "{found}");
        }
        assert_eq!(deviations(&names, &lookups, &settings, &BTreeMap::new()), [], "nothing is known");
        let mut configs = good;
        configs.get_mut(other).unwrap().insert("max.message.bytes".to_owned(), "150".to_owned());
        assert_eq!(deviations(&names, &lookups, &settings, &configs), [], "who writes there says so");
    }
}
