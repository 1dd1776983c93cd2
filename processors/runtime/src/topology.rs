//! The names of everything a domain has in Kafka, on one screen.

use std::sync::Arc;

use millrace_kernel::aggregate::snake_case;
use millrace_kernel::{Domain, Published};

/// Names of a domain's topics, groups and transactional ids, each behind the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    prefix: String,
    domain: &'static str,
    has_steps: bool,
    /// `<d>.commands`
    pub commands: Arc<str>,
    /// `<d>.steps`, also of a domain without steps, where no such topic is
    pub steps: Arc<str>,
    /// `<d>.events`
    pub events: Arc<str>,
    /// `<d>.state`
    pub state: Arc<str>,
    /// `<d>.outcomes`
    pub outcomes: Arc<str>,
    /// `<d>.commands.dead`
    pub dead: Arc<str>,
}

impl Topology {
    /// The names of the domain `D`, each beginning with `prefix` (often empty).
    #[must_use]
    pub fn of<D: Domain>(prefix: &str) -> Self {
        Self { has_steps: D::SCHEMAS.steps.is_some(), ..Self::new(prefix, D::NAME) }
    }

    /// The names of `domain`, each beginning with `prefix`, as if it had all that a domain may have.
    #[must_use]
    pub fn new(prefix: &str, domain: &'static str) -> Self {
        let topic = |suffix: &str| Arc::from(format!("{prefix}{domain}.{suffix}"));
        Self {
            commands: topic("commands"),
            steps: topic("steps"),
            events: topic("events"),
            state: topic("state"),
            outcomes: topic("outcomes"),
            dead: topic("commands.dead"),
            prefix: prefix.to_owned(),
            domain,
            has_steps: true,
        }
    }

    /// The topics whose messages are decided: commands and, where the domain has some, steps.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Arc<str>> {
        [Some(&self.commands), self.has_steps.then_some(&self.steps)].into_iter().flatten().collect()
    }

    /// The topics that the domain needs, but for those of what is looked up.
    #[must_use]
    pub fn own(&self) -> Vec<&Arc<str>> {
        let mut topics = self.inputs();
        topics.extend([&self.events, &self.state, &self.outcomes, &self.dead]);
        topics
    }

    /// Whether producers of commands read and write a topic, with a client of any kind.
    #[must_use]
    pub fn is_for_all_clients(topic: &str) -> bool {
        topic.ends_with(".commands") || topic.ends_with(".outcomes")
    }

    /// The same names in memory of their own, where a clone would share it.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { has_steps: self.has_steps, ..Self::new(&self.prefix, self.domain) }
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &'static str {
        self.domain
    }

    /// `<d>.<aggregate>.lookup`, of the aggregates that others look up.
    #[must_use]
    pub fn lookup(&self, aggregate: &str) -> Arc<str> {
        format!("{}{}.{}.lookup", self.prefix, self.domain, snake_case(aggregate)).into()
    }

    /// The same of another domain.
    #[must_use]
    pub fn lookup_elsewhere(&self, of: Published) -> Arc<str> {
        Self::new(&self.prefix, of.domain).lookup(of.kind)
    }

    /// `<d>.<family>.changes`, of the view families with views that can be subscribed to.
    #[must_use]
    pub fn changes(&self, family: &str) -> Arc<str> {
        format!("{}{}.{family}.changes", self.prefix, self.domain).into()
    }

    /// The consumer group of the domain's command processors.
    #[must_use]
    pub fn processor_group(&self) -> String {
        format!("{}{}.processor", self.prefix, self.domain)
    }

    /// The consumer group of one view family.
    #[must_use]
    pub fn projector_group(&self, family: &str) -> String {
        format!("{}{}.projector.{family}", self.prefix, self.domain)
    }

    /// The consumer group that reacts to the events of another domain.
    #[must_use]
    pub fn policy_group(&self, of: &str) -> String {
        format!("{}{}.policy.{of}", self.prefix, self.domain)
    }

    /// The transactional id under which a partition of another domain's events is reacted to.
    #[must_use]
    pub fn policy_transactional_id(&self, of: &str, partition: i32) -> String {
        format!("{}{}.policy.{of}.{partition}", self.prefix, self.domain)
    }

    /// The topic of another domain's events.
    #[must_use]
    pub fn events_elsewhere(&self, domain: &'static str) -> Arc<str> {
        Self::new(&self.prefix, domain).events
    }

    /// Whether a consumer group is one of these, of whatever domain and prefix: without its offsets its partitions stand
    /// still.
    #[must_use]
    pub fn is_group(id: &str) -> bool {
        id.ends_with(".processor") || id.contains(".projector.") || id.contains(".policy.")
    }

    /// The transactional id of a partition's processor: whoever uses it next fences off
    /// whoever used it before.
    #[must_use]
    pub fn transactional_id(&self, partition: i32) -> String {
        format!("{}{}.processor.{partition}", self.prefix, self.domain)
    }

    /// All of them, as people write it.
    #[must_use]
    pub fn transactional_ids(&self) -> String {
        format!("{}{}.processor.*", self.prefix, self.domain)
    }

    /// Those of all tools at work on the dead topic, as people write it.
    #[must_use]
    pub fn dead_transactional_ids(&self) -> String {
        format!("{}{}.dead.*", self.prefix, self.domain)
    }

    /// The transactional id of a tool at work on a partition of the dead topic.
    #[must_use]
    pub fn dead_transactional_id(&self, partition: i32) -> String {
        format!("{}{}.dead.{partition}", self.prefix, self.domain)
    }

    /// The registry's subject of a topic's values.
    #[must_use]
    pub fn subject(topic: &str) -> String {
        format!("{topic}-value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix() {
        let names = Topology::new("t1.", "chirp");
        assert_eq!(&*names.dead, "t1.chirp.commands.dead");
        assert_eq!(&*names.lookup("FollowRelationship"), "t1.chirp.follow_relationship.lookup");
        assert_eq!(&*names.lookup_elsewhere(Published::of("identity", "User")), "t1.identity.user.lookup");
        assert_eq!(names.transactional_id(3), "t1.chirp.processor.3");
        assert_eq!(names.projector_group("users"), "t1.chirp.projector.users");
        assert_eq!(names.policy_group("identity"), "t1.chirp.policy.identity");
        assert_eq!(names.policy_transactional_id("identity", 3), "t1.chirp.policy.identity.3");
        assert_eq!(&*names.events_elsewhere("identity"), "t1.identity.events");
        assert!(Topology::is_group(&names.processor_group()) && Topology::is_group(&names.policy_group("x")));
        assert!(Topology::is_group(&names.projector_group("users.v2")));
        assert!(!Topology::is_group("my.processor.logs") && !Topology::is_group("console-consumer-7"));
    }
}
