//! A domain as the binary sees it: the same for every domain, whatever its types.

use std::marker::PhantomData;
use std::sync::Arc;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Addressed, Command, Digest, Domain, Metadata, Projection, Published, Schemas, Table};
use millrace_ports::{Log, ViewStore};
use millrace_runtime::dead::{DeadError, DeadTopic};
use millrace_runtime::role::{FamilyRole, Pace, Ports, RoleError, policy_role};
use millrace_runtime::versions::{self, Filled, State};
use millrace_runtime::{Health, ProcessorSettings, Stop, Topology, run_policy, run_processor};
use millrace_wire::{Codec, Registry};

pub use millrace_gateway::ports::{CommandEncoder, Encoded};

use crate::config::Config;
use crate::dead::DeadLetters;
use crate::error::CliError;
use crate::examine::{Examiner, TypedExaminer};
use crate::message::{MessageTypes, Problem};
use crate::tool::Tool;

/// A view family: a consumer group and the views it fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its views.
    pub views: &'static [&'static str],
    /// How this build fills them under the settings in force: see
    /// [`millrace_runtime::versions::revision`].
    pub revision: String,
}

/// A domain of this binary. Made by [`domain`]; a trait only so that domains of different
/// types stand in one list.
pub trait DomainEntry: Send + Sync {
    /// The domain's name.
    fn name(&self) -> &'static str;
    /// The domain alone, without its subcommands, for whoever outlives this.
    fn apart(&self) -> Box<dyn DomainEntry>;
    /// Its own subcommands.
    fn tools(&self) -> &[Box<dyn Tool>];
    /// Adds a subcommand.
    fn add_tool(&mut self, tool: Box<dyn Tool>);
    /// The names of its topics, each beginning with `prefix`.
    fn topology(&self, prefix: &str) -> Topology;
    /// Its schemas, tables and topics.
    fn schemas(&self) -> Schemas;
    /// Whether commands that may have been answered and forgotten are refused.
    fn refuses_expired(&self) -> bool;
    /// The kinds of its own aggregates that are looked up: those that it publishes.
    fn lookups(&self) -> &'static [&'static str];
    /// The kinds of other domains' aggregates that it looks up.
    fn lookups_elsewhere(&self) -> &'static [Published];
    /// Its settings when nobody has set any.
    fn default_settings(&self) -> serde_json::Value;
    /// Whether its settings are of the right types and fit together.
    ///
    /// # Errors
    /// What does not, and where it was set.
    fn check_settings(&self, config: &Config) -> Result<(), CliError>;
    /// Its view families under the settings in force.
    ///
    /// # Errors
    /// As [`DomainEntry::check_settings`].
    fn families(&self, config: &Config) -> Result<Vec<Family>, CliError>;
    /// Encodes its commands; the schema must be registered.
    ///
    /// # Errors
    /// A registry that does not answer or does not know the schema.
    fn encoder(&self, registry: Arc<dyn Registry>, prefix: &str)
    -> Result<Box<dyn CommandEncoder>, CliError>;
    /// Decides its commands until `stop`.
    ///
    /// # Errors
    /// What no waiting mends.
    fn run_processor(
        &self,
        ports: &Ports,
        prefix: &str,
        settings: &ProcessorSettings,
        health: &Health,
        stop: &Stop,
    ) -> Result<(), RoleError>;
    /// The domains whose events it reacts to, each with what the role is called that does it.
    fn policies(&self) -> Vec<(&'static str, String)>;
    /// The schema of the events of the domain `of` that it reacts to, in their envelope.
    fn policy_schema(&self, of: &str) -> Option<&'static str>;
    /// Reacts to the events of the domain `of` until `stop`.
    ///
    /// # Errors
    /// What no waiting mends.
    fn run_policy(
        &self,
        ports: &Ports,
        prefix: &str,
        of: &str,
        settings: &ProcessorSettings,
        health: &Health,
        stop: &Stop,
    ) -> Result<(), RoleError>;
    /// Whether later commands of a key wait once one is dead.
    fn keeps_order_behind_dead(&self) -> bool;
    /// Its dead topic.
    ///
    /// # Errors
    /// The topic does not exist, or servers do not answer.
    fn dead_letters(
        &self,
        log: Arc<dyn Log>,
        registry: Arc<dyn Registry>,
        prefix: &str,
    ) -> Result<Box<dyn DeadLetters>, DeadError>;
    /// What looks into its topics and tables, to check and to explain.
    ///
    /// # Errors
    /// As [`DomainEntry::check_settings`].
    fn examiner(&self, config: &Config) -> Result<Box<dyn Examiner>, CliError>;
    /// Fills the views of one family until `stop`, in every version that this build fills likewise.
    ///
    /// # Errors
    /// What no waiting mends.
    fn run_projector(&self, role: ProjectorRole<'_>) -> Result<(), CliError>;
    /// Fills one version of them until `stop`.
    ///
    /// # Errors
    /// What no waiting mends.
    fn fill(&self, role: ProjectorRole<'_>, filled: &Filled, pace: Pace) -> Result<(), CliError>;
}

/// What a projector needs.
#[derive(Clone)]
pub struct ProjectorRole<'a> {
    /// The outside world.
    pub ports: &'a Ports,
    /// The configuration in force.
    pub config: &'a Config,
    /// The view family.
    pub family: &'a str,
    /// The tables.
    pub store: Arc<dyn ViewStore>,
    /// Where it says how it is.
    pub health: &'a Health,
    /// When to end.
    pub stop: &'a Stop,
}

/// Checks that a domain's settings fit together.
type Check<D> = fn(&<D as Domain>::Settings) -> Result<(), String>;

/// An entry under construction: `domain::<Chirp>()`.
pub struct Entry<D: Domain> {
    check: Option<Check<D>>,
    tools: Vec<Box<dyn Tool>>,
    of: PhantomData<fn() -> D>,
}

/// The entry of the domain `D`.
#[must_use]
pub fn domain<D: Domain>() -> Entry<D> {
    Entry { check: None, tools: Vec::new(), of: PhantomData }
}

impl<D: Domain> Entry<D> {
    /// Refuses settings that do not fit together, before anything is started.
    #[must_use]
    pub fn checked_by(mut self, check: Check<D>) -> Self {
        self.check = Some(check);
        self
    }

    fn settings(&self, config: &Config) -> Result<D::Settings, CliError> {
        let settings: D::Settings = config.section(D::NAME)?;
        match self.check.map_or(Ok(()), |check| check(&settings)) {
            Ok(()) => Ok(settings),
            Err(why) => Err(CliError::usage(why)),
        }
    }
}

impl<D: Domain> DomainEntry for Entry<D> {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn apart(&self) -> Box<dyn DomainEntry> {
        Box::new(Self { check: self.check, tools: Vec::new(), of: PhantomData })
    }

    fn tools(&self) -> &[Box<dyn Tool>] {
        &self.tools
    }

    fn add_tool(&mut self, tool: Box<dyn Tool>) {
        self.tools.push(tool);
    }

    fn topology(&self, prefix: &str) -> Topology {
        Topology::of::<D>(prefix)
    }

    fn schemas(&self) -> Schemas {
        D::SCHEMAS
    }

    fn refuses_expired(&self) -> bool {
        D::REFUSES_EXPIRED
    }

    fn lookups(&self) -> &'static [&'static str] {
        D::LOOKUPS
    }

    fn lookups_elsewhere(&self) -> &'static [Published] {
        D::LOOKUPS_ELSEWHERE
    }

    fn default_settings(&self) -> serde_json::Value {
        serde_json::to_value(D::Settings::default()).unwrap_or_default()
    }

    fn check_settings(&self, config: &Config) -> Result<(), CliError> {
        self.settings(config).map(drop)
    }

    fn families(&self, config: &Config) -> Result<Vec<Family>, CliError> {
        let declared = tables(self)?;
        let of = |family: Projection<D::Event>| {
            let revision = versions::revision(&family.revision, family.views, &declared);
            Family { name: family.name, views: family.views, revision }
        };
        Ok(D::projections(&self.settings(config)?).into_iter().map(of).collect())
    }

    fn encoder(
        &self,
        registry: Arc<dyn Registry>,
        prefix: &str,
    ) -> Result<Box<dyn CommandEncoder>, CliError> {
        let subject = Topology::subject(&Topology::new(prefix, D::NAME).commands);
        // a sender must not be the one who changes what a topic holds
        let codec: Codec<Command<D::Command>> =
            Codec::find(registry, &subject, D::SCHEMAS.commands)?.ok_or_else(|| unregistered(&subject))?;
        Ok(Box::new(TypedEncoder::<D> { codec }))
    }

    fn run_processor(
        &self,
        ports: &Ports,
        prefix: &str,
        settings: &ProcessorSettings,
        health: &Health,
        stop: &Stop,
    ) -> Result<(), RoleError> {
        run_processor::<D>(ports, prefix, settings, health, stop)
    }

    fn policies(&self) -> Vec<(&'static str, String)> {
        D::policies().iter().map(|policy| (policy.domain, policy_role::<D>(policy.domain))).collect()
    }

    fn policy_schema(&self, of: &str) -> Option<&'static str> {
        D::policies().iter().find(|policy| policy.domain == of).map(|policy| policy.schema)
    }

    fn run_policy(
        &self,
        ports: &Ports,
        prefix: &str,
        of: &str,
        settings: &ProcessorSettings,
        health: &Health,
        stop: &Stop,
    ) -> Result<(), RoleError> {
        run_policy::<D>(ports, prefix, of, settings, health, stop)
    }

    fn keeps_order_behind_dead(&self) -> bool {
        D::KEEPS_ORDER_BEHIND_DEAD
    }

    fn dead_letters(
        &self,
        log: Arc<dyn Log>,
        registry: Arc<dyn Registry>,
        prefix: &str,
    ) -> Result<Box<dyn DeadLetters>, DeadError> {
        Ok(Box::new(DeadTopic::<D>::open(log, &registry, prefix)?))
    }

    fn examiner(&self, config: &Config) -> Result<Box<dyn Examiner>, CliError> {
        Ok(Box::new(TypedExaminer::<D> { settings: self.settings(config)? }))
    }

    fn run_projector(&self, role: ProjectorRole<'_>) -> Result<(), CliError> {
        let settings = self.settings(role.config)?;
        Ok(family_role::<D>(role, &settings).run()?)
    }

    fn fill(&self, role: ProjectorRole<'_>, filled: &Filled, pace: Pace) -> Result<(), CliError> {
        let settings = self.settings(role.config)?;
        Ok(family_role::<D>(role, &settings).fill(filled.version, filled.state == State::Building, pace)?)
    }
}

fn family_role<'a, D: Domain>(
    role: ProjectorRole<'a>,
    domain_settings: &'a D::Settings,
) -> FamilyRole<'a, D> {
    let ProjectorRole { ports, config, family, store, health, stop } = role;
    let (prefix, settings) = (config.settings.topic_prefix.as_str(), &config.settings.projector);
    FamilyRole { ports, prefix, domain_settings, family, store, settings, health, stop }
}

struct TypedEncoder<D: Domain> {
    codec: Codec<Command<D::Command>>,
}

impl<D: Domain> CommandEncoder for TypedEncoder<D> {
    fn encode(
        &self,
        id: &str,
        metadata: Metadata,
        kind: &str,
        data: serde_json::Value,
    ) -> Result<Encoded, Problem> {
        let tagged = serde_json::Value::Object([(kind.to_owned(), data)].into_iter().collect());
        let data: D::Command = serde_json::from_value(tagged)
            .map_err(|error| Problem::new(format!("{kind}: {error}")).at("data"))?;
        let key = data.routing_key().into_owned();
        let digest = Digest::of(&data);
        let command = Command { id: id.into(), metadata, data };
        let value = self.codec.encode(&command).to_vec();
        Ok(Encoded { key, value, digest })
    }
}

/// What is said where nobody has registered a schema of this build.
#[must_use]
pub fn unregistered(subject: &str) -> CliError {
    CliError::failed(format!("the registry does not know this build's schema of {subject}"))
        .hint("Register it with `millrace schemas register`.")
}

/// The tables a domain declares.
///
/// # Errors
/// A `views.cql` that cannot be read, which is a bug in the domain.
pub fn tables(entry: &dyn DomainEntry) -> Result<Vec<Table>, CliError> {
    parse_tables(entry.schemas().views)
        .map_err(|error| CliError::failed(format!("schemas/{}/views.cql: {error}", entry.name())))
}

/// The message types a domain takes, by its `commands.avsc`.
///
/// # Errors
/// A schema that cannot be read, which is a bug in the domain.
pub fn message_types(entry: &dyn DomainEntry) -> Result<MessageTypes, CliError> {
    let schemas = entry.schemas();
    MessageTypes::read(entry.name(), schemas.commands)
        .map(|types| types.sealing(schemas.sealed))
        .map_err(|error| CliError::failed(format!("schemas/{}/commands.avsc: {error}", entry.name())))
}

/// The steps of a domain's processes, by its `steps.avsc`: known so that it can be said why they are
/// not sent.
///
/// # Errors
/// A schema that cannot be read, which is a bug in the domain.
pub fn step_types(entry: &dyn DomainEntry) -> Result<MessageTypes, CliError> {
    let Some(steps) = entry.schemas().steps else { return Ok(MessageTypes::none(entry.name())) };
    MessageTypes::read(entry.name(), steps)
        .map_err(|error| CliError::failed(format!("schemas/{}/steps.avsc: {error}", entry.name())))
}

/// The domains named in `names`, or all of them.
///
/// # Errors
/// A name that no domain has.
pub fn select<'a>(
    domains: &'a [Box<dyn DomainEntry>],
    names: &[String],
) -> Result<Vec<&'a dyn DomainEntry>, CliError> {
    if names.is_empty() {
        return Ok(domains.iter().map(|entry| &**entry).collect());
    }
    names.iter().map(|name| by_name(domains, name)).collect()
}

/// The domain of this name.
///
/// # Errors
/// There is none.
pub fn by_name<'a>(domains: &'a [Box<dyn DomainEntry>], name: &str) -> Result<&'a dyn DomainEntry, CliError> {
    let known = || domains.iter().map(|entry| entry.name());
    domains.iter().map(|entry| &**entry).find(|entry| entry.name() == name).ok_or_else(|| {
        let near = crate::nearest::suggestion(name, known());
        CliError::usage(format!("there is no domain {name}{near}"))
            .hint(format!("This binary has: {}", known().collect::<Vec<_>>().join(", ")))
    })
}
