//! The audit of a domain: every partition by itself, then every view.
//!
//! It runs beside a system that goes on. What is compared is read in an order that makes a
//! difference certain: first how far things have come, then what must be there by then. Records of
//! one transaction become visible together, so whoever has read the events up to the end of their
//! partition will find the states, outcomes and lookups of all of them before the ends of *their*
//! partitions as they are told afterwards.

mod ahead;
mod answers;
mod bookkeeping;
mod fold;
mod image;
mod lookups;
mod policies;
mod replay;
mod states;
mod tally;
mod views;

pub(crate) use answers::header;

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Table};
use millrace_ports::{Log, LogFault, TopicPartition, ViewStore};
use millrace_runtime::processor::codecs::Codecs;
use millrace_runtime::{ProcessorSettings, Topology};
use millrace_wire::Registry;
use serde::Serialize;

use crate::difference::{Check, Difference, Findings, Kind};
use crate::fault::AuditFault;
use crate::shelf::Shelf;
use crate::watch::Watcher;

/// Asks for the next offsets that a group has committed; those without one are left out.
pub type Committed<'a> =
    &'a dyn Fn(&str, &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogFault>;

/// What an audit looks at, and with what.
pub struct Audit<'a, D: Domain> {
    /// The topics.
    pub log: &'a dyn Log,
    /// The schemas.
    pub registry: &'a Arc<dyn Registry>,
    /// What the names of topics begin with.
    pub prefix: &'a str,
    /// The domain's settings in force, on which its views may depend.
    pub settings: &'a D::Settings,
    /// The processors' settings in force: how far back a repeated id is recognised.
    pub processor: &'a ProcessorSettings,
    /// The tables, opened.
    pub store: &'a dyn ViewStore,
    /// How much is held in memory at once, and the scratch store for the rest; each view family is replayed into another.
    pub shelf: &'a Shelf<'a>,
    /// How far the processors have come.
    pub committed: Committed<'a>,
    /// Most differences to list; beyond it they are counted, but for the first few of a check.
    pub limit: usize,
    /// Is told how far it has come.
    pub watcher: &'a dyn Watcher,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Events folded.
    pub events: u64,
    /// States and what the engine remembers among them.
    pub states: u64,
    /// Entries of lookup topics.
    pub lookups: u64,
    /// Commands of which the answer was looked for.
    pub commands: u64,
    /// Outcomes read.
    pub outcomes: u64,
    /// Events of other domains of which the reaction was looked for.
    pub reactions: u64,
    /// Rows compared.
    pub rows: u64,
}

/// What an audit came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How much was looked at.
    pub checked: Checked,
    /// How many differences each check has found.
    pub counts: BTreeMap<Check, u64>,
    /// The differences, as many as were asked for.
    pub differences: Vec<Difference>,
}

impl Report {
    /// How many differences there are, listed or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// All that the checks share.
struct Scene<'a, D: Domain> {
    audit: &'a Audit<'a, D>,
    names: Topology,
    codecs: Codecs<D>,
    tables: Vec<Table>,
    partitions: i32,
    findings: Findings,
    checked: Checked,
    taken: policies::Taken,
}

impl<D: Domain> Scene<'_, D> {
    fn at(&self, topic: &Arc<str>, partition: i32) -> TopicPartition {
        TopicPartition::new(Arc::clone(topic), partition)
    }

    /// A difference without columns and events, to be filled in.
    fn difference(&self, check: Check, kind: Kind, place: &str, key: &str, message: String) -> Difference {
        Difference {
            domain: D::NAME,
            check,
            kind,
            place: place.to_owned(),
            key: key.to_owned(),
            columns: Vec::new(),
            events: Vec::new(),
            message,
        }
    }
}

/// Audits a domain.
///
/// # Errors
/// [`AuditFault`]: it could not be found out. What is wrong with the data is no fault, it is in
/// the report.
pub fn verify<D: Domain>(audit: &Audit<'_, D>) -> Result<Report, AuditFault> {
    let names = Topology::of::<D>(audit.prefix);
    let tables =
        parse_tables(D::SCHEMAS.views).map_err(|error| AuditFault::Tables { domain: D::NAME, error })?;
    // who asks for topics that are not there must not leave schemas of them
    let partitions = audit.log.partitions(&names.events)?;
    let mut scene = Scene {
        audit,
        codecs: Codecs::register(audit.registry, &names)?,
        partitions,
        names,
        tables,
        findings: Findings::new(audit.limit),
        checked: Checked::default(),
        taken: policies::Taken::new(),
    };
    for partition in 0..scene.partitions {
        scene.partition(partition)?;
    }
    scene.policies()?;
    for family in D::projections(audit.settings) {
        scene.family(&family)?;
    }
    let (differences, counts) = scene.findings.into_parts();
    Ok(Report { checked: scene.checked, counts, differences })
}

impl<D: Domain> Scene<'_, D> {
    /// Checks all that one partition answers for.
    fn partition(&mut self, partition: i32) -> Result<(), AuditFault> {
        let log = self.audit.log;
        let commands = self.at(&self.names.commands, partition);
        let group = self.names.processor_group();
        let decided = (self.audit.committed)(&group, std::slice::from_ref(&commands))?
            .get(&commands)
            .copied()
            .unwrap_or(0);

        let events = self.at(&self.names.events, partition);
        let mut fold = fold::Fold::start(self, partition)?;
        fold.read_on(self, log.high_watermark(&events)?)?;
        fold.aggregates.rest()?;
        let (states, remembered) = self.read_states(partition)?;
        // whatever a state is ahead of those events becomes visible before their end is asked for
        self.compare_states(&mut fold, states)?;
        self.note_taken(partition, &remembered);
        self.compare_processes(&mut fold, &remembered);
        fold.read_on(self, log.high_watermark(&events)?)?;
        self.report_ahead(&mut fold)?;
        self.settle_processes(&fold);

        let lookups = self.read_lookups(partition)?;
        self.compare_lookups(&mut fold, lookups)?;
        // of a process that had ended by then; what has been answered is read behind it
        let due = self.read_due(partition, &remembered)?;
        fold.aggregates.rest()?;
        self.check_answers(partition, decided, &fold, due)
    }
}
