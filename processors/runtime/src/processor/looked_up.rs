//! What the decisions of a domain look up, and in which topics it stands.

use std::sync::Arc;

use millrace_kernel::{Domain, Published};

use crate::planted::{self, Bug};
use crate::topology::Topology;

/// The topics of what a domain looks up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupTopics {
    /// Those that the domain writes itself.
    pub own: Vec<(Published, Arc<str>)>,
    /// Those that other domains write, and this one reads only.
    pub elsewhere: Vec<(Published, Arc<str>)>,
}

impl LookupTopics {
    /// Those of the domain `D`.
    #[must_use]
    pub fn of<D: Domain>(names: &Topology) -> Self {
        Self::new(names, D::LOOKUPS, D::LOOKUPS_ELSEWHERE)
    }

    /// Those of a domain with these names that looks up these kinds of its own, and these of others.
    #[must_use]
    pub fn new(names: &Topology, kinds: &[&'static str], elsewhere: &[Published]) -> Self {
        let own = kinds.iter().map(|kind| (Published::of(names.domain(), kind), names.lookup(kind)));
        let elsewhere = elsewhere.iter().map(|of| (*of, names.lookup_elsewhere(*of)));
        Self { own: own.collect(), elsewhere: elsewhere.collect() }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        self.own.iter().chain(&self.elsewhere).map(|(_, topic)| topic)
    }

    /// The tables of these topics: the domain's own have as many `partitions` as it has, those of others as many as `ask`
    /// says.
    ///
    /// # Errors
    /// What `ask` says.
    pub fn tables<E>(
        &self,
        partitions: i32,
        mut ask: impl FnMut(Published, &Arc<str>) -> Result<i32, E>,
    ) -> Result<Vec<LookedUp>, E> {
        let own =
            self.own.iter().map(|(of, topic)| Ok(LookedUp { of: *of, topic: Arc::clone(topic), partitions }));
        let elsewhere = self.elsewhere.iter().map(|(of, topic)| {
            if planted::is_on(Bug::ElsewhereAsManyPartitions) {
                return Ok(LookedUp { of: *of, topic: Arc::clone(topic), partitions });
            }
            Ok(LookedUp { of: *of, topic: Arc::clone(topic), partitions: ask(*of, topic)? })
        });
        own.chain(elsewhere).collect()
    }
}

/// A kind of aggregate that is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// Whose it is, and which.
    pub of: Published,
    /// Where it stands.
    pub topic: Arc<str>,
    /// In how many partitions.
    pub partitions: i32,
}
