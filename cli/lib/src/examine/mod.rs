//! Looking into topics and tables: `verify`, `history` and `explain`. The work is done by
//! `millrace-audit`; here is what it is done with, and how it is printed.

pub mod elsewhere;
pub mod explain;
pub mod history;
pub mod verify;
pub mod withheld;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use millrace_audit::explain::{Elsewhere, Explanation, Question, Searched};
use millrace_audit::history::{History, Window};
use millrace_audit::{Audit, AuditFault, EventPlace, Report, Shelf, Watcher};
use millrace_kafka::{Admin, KafkaLog};
use millrace_kernel::{AggregateId, Domain};
use millrace_ports::{LogFault, StoreFault, TopicPartition, ViewStore};
use millrace_sqlite::{SqliteOptions, SqliteStore, Synchronous};
use millrace_wire::Registry;
use tempfile::TempDir;

use crate::connect::Servers;
use crate::error::CliError;

/// What everything here is done with.
pub struct Tools<'a> {
    servers: &'a Servers<'a>,
    log: KafkaLog,
    admin: Admin,
    registry: Arc<dyn Registry>,
    bar: Bar,
}

impl<'a> Tools<'a> {
    /// Connects to Kafka and the registry.
    ///
    /// # Errors
    /// One of them does not answer.
    pub fn new(servers: &'a Servers<'a>) -> Result<Self, CliError> {
        Self::with(servers, Bar::new())
    }

    /// The same for somebody who is at no terminal and waits until then.
    ///
    /// # Errors
    /// As [`Tools::new`].
    pub fn until(servers: &'a Servers<'a>, deadline: Instant) -> Result<Self, CliError> {
        Self::with(servers, Bar::unseen(deadline))
    }

    fn with(servers: &'a Servers<'a>, bar: Bar) -> Result<Self, CliError> {
        let log = servers.kafka()?;
        Ok(Self { servers, admin: log.admin()?, log, registry: servers.registry()?, bar })
    }

    fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, LogFault> {
        self.admin.group_offsets(group, partitions)
    }
}

/// Looks into one domain, whatever its types.
pub trait Examiner {
    /// Audits it; at most `limit` differences are listed.
    ///
    /// # Errors
    /// Servers that do not answer.
    fn verify(&self, tools: &Tools<'_>, store: &dyn ViewStore, limit: usize) -> Result<Report, CliError>;

    /// Tells the history of an aggregate.
    ///
    /// # Errors
    /// Servers that do not answer.
    fn history(&self, tools: &Tools<'_>, id: &AggregateId, window: &Window) -> Result<History, CliError>;

    /// Explains a command.
    ///
    /// # Errors
    /// Servers that do not answer.
    fn explain(
        &self,
        tools: &Tools<'_>,
        store: Option<&dyn ViewStore>,
        asked: &Asking<'_>,
    ) -> Result<Result<Explanation, Vec<Searched>>, CliError>;

    /// Tells what the domain has done about these events of the domain `of`.
    ///
    /// # Errors
    /// Servers that do not answer.
    fn consequences(
        &self,
        tools: &Tools<'_>,
        store: Option<&dyn ViewStore>,
        asked: &Asking<'_>,
        of: (&str, &[EventPlace]),
    ) -> Result<Vec<Elsewhere>, CliError>;
}

/// What is asked of [`Examiner::explain`].
pub struct Asking<'a> {
    /// The command.
    pub command_id: &'a str,
    /// Look no further back, microseconds since the epoch.
    pub since: Option<i64>,
    /// Most rows for one event and projection.
    pub most_rows: usize,
}

/// The examiner of the domain `D`.
pub struct TypedExaminer<D: Domain> {
    /// The domain's settings in force.
    pub settings: D::Settings,
}

impl<D: Domain> Examiner for TypedExaminer<D> {
    fn verify(&self, tools: &Tools<'_>, store: &dyn ViewStore, limit: usize) -> Result<Report, CliError> {
        let scratch = Scratch::new();
        scratch.folder()?;
        let make = || scratch.store();
        let config = tools.servers.config;
        let report = millrace_audit::verify(&Audit::<D> {
            log: &tools.log,
            registry: &tools.registry,
            prefix: tools.servers.prefix(),
            settings: &self.settings,
            processor: &config.settings.processor,
            store,
            shelf: &Shelf::new(&make, MEMORY),
            committed: &|group, partitions| tools.committed(group, partitions),
            limit,
            watcher: &tools.bar,
        });
        tools.bar.clear();
        Ok(report?)
    }

    fn history(&self, tools: &Tools<'_>, id: &AggregateId, window: &Window) -> Result<History, CliError> {
        let (log, registry, prefix) = (&tools.log, &tools.registry, tools.servers.prefix());
        let told = millrace_audit::history::part::<D>(log, registry, prefix, id, window, &tools.bar);
        tools.bar.clear();
        Ok(told?)
    }

    fn explain(
        &self,
        tools: &Tools<'_>,
        store: Option<&dyn ViewStore>,
        asked: &Asking<'_>,
    ) -> Result<Result<Explanation, Vec<Searched>>, CliError> {
        self.ask(tools, store, asked, |question| millrace_audit::explain::explain(question, asked.command_id))
    }

    fn consequences(
        &self,
        tools: &Tools<'_>,
        store: Option<&dyn ViewStore>,
        asked: &Asking<'_>,
        (of, events): (&str, &[EventPlace]),
    ) -> Result<Vec<Elsewhere>, CliError> {
        self.ask(tools, store, asked, |question| millrace_audit::explain::consequences(question, of, events))
    }
}

impl<D: Domain> TypedExaminer<D> {
    fn ask<T>(
        &self,
        tools: &Tools<'_>,
        store: Option<&dyn ViewStore>,
        asked: &Asking<'_>,
        answer: impl FnOnce(&Question<'_, D>) -> Result<T, AuditFault>,
    ) -> Result<T, CliError> {
        let scratch = Scratch::new();
        let make = || scratch.store();
        let shelf = Shelf::new(&make, MEMORY);
        let question = Question::<D> {
            log: &tools.log,
            registry: &tools.registry,
            prefix: tools.servers.prefix(),
            settings: &self.settings,
            store,
            committed: &|group, partitions| tools.committed(group, partitions),
            since: asked.since,
            most_rows: asked.most_rows,
            shelf: &shelf,
            watcher: &tools.bar,
        };
        let answered = answer(&question);
        tools.bar.clear();
        Ok(answered?)
    }
}

/// How much of what grows with the topics is held in memory at once, in bytes; the rest lies in a scratch store.
const MEMORY: usize = 16 << 20;

/// A folder for replayed views and what memory has no room for, made when it is needed and gone in the end.
struct Scratch {
    dir: OnceCell<TempDir>,
    stores: AtomicUsize,
}

impl Scratch {
    fn new() -> Self {
        Self { dir: OnceCell::new(), stores: AtomicUsize::new(0) }
    }

    fn folder(&self) -> Result<&Path, CliError> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir.path());
        }
        let dir = tempfile::Builder::new().prefix("millrace-verify-").tempdir().map_err(|error| {
            CliError::failed(format!(
                "no folder for the replay in {}: {error}",
                std::env::temp_dir().display()
            ))
            .hint("Name another place with the environment variable TMPDIR.")
        })?;
        Ok(self.dir.get_or_init(|| dir).path())
    }

    fn store(&self) -> Result<Box<dyn ViewStore>, AuditFault> {
        let name = format!("scratch-{}", self.stores.fetch_add(1, Ordering::Relaxed));
        // what is lost with the power would be made again
        let options = SqliteOptions { synchronous: Synchronous::Normal, ..SqliteOptions::default() };
        let folder = self.folder().map_err(|error| {
            let message = format!("{error}; name another place with the environment variable TMPDIR");
            StoreFault::Unavailable { step: "make a scratch store", message }
        })?;
        Ok(Box::new(SqliteStore::open_with(folder, &name, &options)?))
    }
}

/// A progress bar on standard error, when a terminal shows it; and until when whoever asks has time.
pub struct Bar(ProgressBar, Option<Instant>);

impl Bar {
    /// Nothing to show yet.
    #[must_use]
    pub fn new() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)), None)
    }

    /// None, for somebody who has time until then.
    #[must_use]
    pub fn unseen(deadline: Instant) -> Self {
        Self(ProgressBar::hidden(), Some(deadline))
    }

    /// Says more about the stage.
    pub fn say(&self, what: String) {
        self.0.set_message(what);
    }

    /// So many steps of the stage are done.
    pub fn reach(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// Takes it from the screen.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Watcher for Bar {
    fn stage(&self, what: &str, total: u64) {
        let template = match total {
            0 => "{spinner} {msg} {human_pos}",
            _ => "{msg} {wide_bar} {human_pos}/{human_len} {eta}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.0.reset();
        self.0.set_style(style);
        match total {
            0 => self.0.unset_length(),
            _ => self.0.set_length(total),
        }
        self.0.set_message(what.to_owned());
    }

    fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }

    fn is_overdue(&self) -> bool {
        self.1.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// A time as it was given with `flag`, in microseconds since the epoch.
pub fn time(flag: &str, text: &str) -> Result<i64, CliError> {
    let read = text.parse::<Timestamp>();
    read.map(Timestamp::as_microsecond).map_err(|error| {
        CliError::usage(format!("{flag} {text}: {error}"))
            .hint("Write it as RFC 3339: 2026-01-02T03:04:05Z, or 2026-01-02T05:04:05.000001+02:00.")
    })
}
