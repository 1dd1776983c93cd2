//! The roles of a process: threads that work until the process is asked to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_embedded::net::files;
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::health::{LaneState, ROLE_ITSELF};
use millrace_runtime::progress::system_tables;
use millrace_runtime::supervise::persist;
use millrace_runtime::{Health, Stop};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::connect::Servers;
use crate::domain::{DomainEntry, ProjectorRole, by_name, select};
use crate::error::CliError;
use crate::nearest::suggestion;
use crate::{health, telemetry};

/// A role to play: its name and its work.
pub struct Role<'a> {
    /// `<domain>.processor` or `<domain>.projector.<family>`.
    pub name: String,
    /// Works until the given stop.
    pub work: Work<'a>,
}

/// What a role does until it is asked to stop.
pub type Work<'a> = Box<dyn FnOnce(&Health, &Stop) -> Result<(), CliError> + Send + 'a>;

/// Runs `millrace processor`.
///
/// # Errors
/// Wrong usage, or what no waiting mends.
pub fn processor(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
) -> Result<(), CliError> {
    let roles = select(domains, names)?.into_iter().flat_map(|entry| deciding_roles(config, entry)).collect();
    play(config, roles)
}

/// Runs `millrace projector`.
///
/// # Errors
/// Wrong usage, or what no waiting mends.
pub fn projector(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
) -> Result<(), CliError> {
    let mut roles = Vec::new();
    let stores = Stores::default();
    if names.is_empty() {
        for entry in domains {
            roles.extend(projector_roles(config, &**entry, &stores)?);
        }
    }
    for name in names {
        let Some((domain, family)) = name.split_once('.') else {
            roles.extend(projector_roles(config, by_name(domains, name)?, &stores)?);
            continue;
        };
        let entry = by_name(domains, domain)?;
        let families = entry.families(config)?;
        let Some(found) = families.iter().find(|known| known.name == family) else {
            let known = || families.iter().map(|known| known.name);
            let text = format!("{domain} has no view family {family}{}", suggestion(family, known()));
            return Err(
                CliError::usage(text).hint(format!("It has: {}", known().collect::<Vec<_>>().join(", ")))
            );
        };
        roles.push(projector_role(config, entry, found.name, stores.clone()));
    }
    play(config, roles)
}

/// The processor of a domain, and its policies.
pub fn deciding_roles<'a>(config: &'a Config, entry: &'a dyn DomainEntry) -> Vec<Role<'a>> {
    let policies = entry.policies().into_iter().map(|(of, name)| policy_role(config, entry, of, name));
    std::iter::once(processor_role(config, entry)).chain(policies).collect()
}

fn policy_role<'a>(
    config: &'a Config,
    entry: &'a dyn DomainEntry,
    of: &'static str,
    name: String,
) -> Role<'a> {
    Role {
        name,
        work: Box::new(move |health, stop| {
            let settings = &config.settings;
            // it keeps nothing, so it needs no folder
            let ports = Servers::new(config).ports("")?;
            Ok(entry.run_policy(&ports, &settings.topic_prefix, of, &settings.processor, health, stop)?)
        }),
    }
}

/// The processor of a domain.
fn processor_role<'a>(config: &'a Config, entry: &'a dyn DomainEntry) -> Role<'a> {
    Role {
        name: format!("{}.processor", entry.name()),
        work: Box::new(move |health, stop| {
            let settings = &config.settings;
            let ports = Servers::new(config).ports(&settings.processor.state_dir)?;
            Ok(entry.run_processor(&ports, &settings.topic_prefix, &settings.processor, health, stop)?)
        }),
    }
}

/// A projector for every view family of a domain.
///
/// # Errors
/// Settings of the domain that are wrong.
pub fn projector_roles<'a>(
    config: &'a Config,
    entry: &'a dyn DomainEntry,
    stores: &Stores,
) -> Result<Vec<Role<'a>>, CliError> {
    let families = entry.families(config)?;
    Ok(families.iter().map(|family| projector_role(config, entry, family.name, stores.clone())).collect())
}

fn projector_role<'a>(
    config: &'a Config,
    entry: &'a dyn DomainEntry,
    family: &'static str,
    stores: Stores,
) -> Role<'a> {
    let name = format!("{}.projector.{family}", entry.name());
    Role {
        name: name.clone(),
        work: Box::new(move |health, stop| {
            let servers = Servers::new(config);
            let ports = servers.ports(&config.settings.projector.state_dir)?;
            health.set(&name, ROLE_ITSELF, LaneState::Starting, "looking for its tables");
            let Some(store) = stores.open(&name, &servers, entry, health, stop)? else { return Ok(()) };
            entry.run_projector(ProjectorRole { ports: &ports, config, family, store, health, stop })
        }),
    }
}

/// The open tables of a process, one connection for each domain.
#[derive(Clone, Default)]
pub struct Stores(Arc<Mutex<BTreeMap<&'static str, Arc<dyn ViewStore>>>>);

impl Stores {
    /// The tables, of which those of the engine are opened, waited for; `None` when asked to stop meanwhile.
    fn open(
        &self,
        role: &str,
        servers: &Servers<'_>,
        entry: &dyn DomainEntry,
        health: &Health,
        stop: &Stop,
    ) -> Result<Option<Arc<dyn ViewStore>>, CliError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = known.get(entry.name()) {
            return Ok(Some(Arc::clone(store)));
        }
        let is_final = |fault: &StoreFault| !matches!(fault, StoreFault::Unavailable { .. });
        let Some(store) = persist(role, health, stop, || servers.store_unreached(entry), is_final)? else {
            return Ok(None);
        };
        if persist(role, health, stop, || store.open_tables(&system_tables()), is_final)?.is_none() {
            return Ok(None);
        }
        known.insert(entry.name(), Arc::clone(&store));
        Ok(Some(store))
    }
}

/// Plays `roles` until SIGTERM or SIGINT, or until one cannot go on.
///
/// # Errors
/// What the first role that could not go on says.
pub fn play(config: &Config, roles: Vec<Role<'_>>) -> Result<(), CliError> {
    let runtime = runtime()?;
    let telemetry = telemetry::start(&config.settings)?;
    let (health, stop) = (Health::default().measured(telemetry.metrics()), Stop::new());
    telemetry.observe(&health);
    let served = health::serve(&config.settings, health.clone(), telemetry.clone(), health::Unless::Off);
    runtime.block_on(served)?;
    stop_on_signals(&runtime, stop.clone())?;
    let played = std::thread::scope(|scope| {
        let threads = start(scope, roles, &health, &stop).inspect_err(|_| stop.request())?;
        finish(threads)
    });
    telemetry.shutdown();
    runtime.shutdown_background();
    tracing::info!("stopped");
    played
}

/// A thread that plays a role, by the role's name.
pub type Playing<'scope> = (String, std::thread::ScopedJoinHandle<'scope, Result<(), CliError>>);

/// Starts a thread for each role. One that cannot go on asks all others to stop.
///
/// # Errors
/// The system has no room for a thread.
pub fn start<'scope, 'env>(
    scope: &'scope std::thread::Scope<'scope, 'env>,
    roles: Vec<Role<'env>>,
    health: &Health,
    stop: &Stop,
) -> Result<Vec<Playing<'scope>>, CliError> {
    let mut threads = Vec::new();
    for role in roles {
        let (health, stop) = (health.clone(), stop.clone());
        let name = role.name.clone();
        let thread = std::thread::Builder::new().name(name.clone()).spawn_scoped(scope, move || {
            tracing::info!(role = role.name, "starting");
            let done = (role.work)(&health, &stop);
            // however it ended, the process has no use without it
            stop.request();
            done.map_err(|error| error.context(&role.name))
        });
        threads.push((name, thread?));
    }
    Ok(threads)
}

/// Waits for all roles to end.
///
/// # Errors
/// What the first one that could not go on says.
pub fn finish(threads: Vec<Playing<'_>>) -> Result<(), CliError> {
    let mut ended = Ok(());
    for (name, thread) in threads {
        let done = thread.join().unwrap_or_else(|_| Err(CliError::failed(format!("{name}: ended by a bug"))));
        match (&ended, done) {
            (Ok(()), done) => ended = done,
            (Err(_), Err(error)) => tracing::error!("{error}"),
            _ => {}
        }
    }
    ended
}

/// The runtime of what is asynchronous in a role: signals, the health endpoints, embedded servers.
///
/// # Errors
/// The system has no room for its threads.
pub fn runtime() -> Result<Runtime, CliError> {
    // each partition, each connection and each file of a table takes one
    files::allow_all();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_name("millrace-io").build()?;
    runtime.spawn(files::watch());
    Ok(runtime)
}

/// Turns SIGTERM and SIGINT into a stop; a second one ends the process at once.
///
/// # Errors
/// The system refuses.
pub fn stop_on_signals(runtime: &Runtime, stop: Stop) -> Result<(), CliError> {
    let _inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_requested() {
                tracing::warn!("asked a second time: ending at once, without finishing");
                std::process::exit(1);
            }
            tracing::info!("asked to stop: finishing what is under way");
            stop.request();
        }
    });
    Ok(())
}
