//! `millrace up`: broker, registry, tables and every role in one process.

mod given;
mod ports;
mod reach;
mod servers;
mod whole;

use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millrace_embedded::broker::{Broker, BrokerConfig, BrokerError, BrokerHandle, SyncPolicy};
use millrace_embedded::registry::{Registry, RegistryConfig, RegistryError, RegistryHandle};
use millrace_gateway::ResumeKey;
use millrace_gateway::pages::PageFile;
use millrace_ports::Log as _;
use millrace_runtime::health::{HealthReport, LaneReport, LaneState, ROLE_ITSELF};
use millrace_runtime::{Health, Stop, Topology};
use millrace_telemetry::Telemetry;
use tokio::runtime::Runtime;

use self::ports::Kept;
use self::reach::Reach;
use crate::config::Config;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::gateway::{self, Bound};
use crate::roles::{Role, Stores, deciding_roles, finish, projector_roles, runtime, start, stop_on_signals};
use crate::{health, output, schemas, tables, telemetry, topics};

/// How often the start looks whether everything is at work.
const LOOK: Duration = Duration::from_millis(10);
/// A projector's partition that has been in trouble for so long at the start is not waited for.
const STANDS_STILL: Duration = Duration::from_secs(2);
/// The same of a processor's, if others of it are at work: what it waits for may be a moment away.
const DECIDES_NOTHING: Duration = Duration::from_secs(5);
/// How often a start that takes long says what it waits for.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Runs `millrace up`.
///
/// # Errors
/// A port that is taken, a folder that is in use or cannot be written, or what no waiting mends.
pub fn run(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    pages: &'static [PageFile],
) -> Result<(), CliError> {
    run_with(config, domains, pages, |_, _, _, _| Ok(()))
}

/// As [`run`], and does `then` once commands are accepted; it gets the configuration that leads this process to
/// the embedded servers, and the addresses that lead others there.
///
/// # Errors
/// As [`run`], and what `then` says.
pub fn run_with(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    pages: &'static [PageFile],
    then: impl FnOnce(&Config, &Endpoints, &Path, &Stop) -> Result<(), CliError> + Send,
) -> Result<(), CliError> {
    given::check(config)?;
    let data = PathBuf::from(&config.settings.up.data);
    let data = std::path::absolute(&data).unwrap_or(data);
    let runtime = runtime()?;
    let telemetry = telemetry::start(&config.settings)?;
    let (health, stop) = (Health::default().measured(telemetry.metrics()), Stop::new());
    telemetry.observe(&health);
    stop_on_signals(&runtime, stop.clone())?;
    let embedded = Embedded::start(&runtime, config, &data)?;
    embedded.end_with_broker(&runtime, stop.clone());
    servers::report(&runtime, &embedded.broker, &embedded.registry, &health);
    let mut inner = embedded.config(config);
    if inner.settings.gateway.resume_key_file.is_empty() {
        inner.settings.gateway.resume_key_file = resume_key(&data)?;
    }
    let serving = Serving { health: &health, telemetry: &telemetry, stop: &stop };
    let brought = Brought { domains, pages };
    let done = play(&runtime, &inner, brought, &data, &embedded, serving, then);
    telemetry.shutdown();
    let ended = embedded.shutdown(&runtime);
    runtime.shutdown_background();
    tracing::info!("stopped");
    done.and(ended)
}

/// What the binary brings to the engine.
#[derive(Clone, Copy)]
struct Brought<'a> {
    domains: &'a [Box<dyn DomainEntry>],
    pages: &'static [PageFile],
}

/// The file with the secret by which the gateway signs where streams go on: made once, so that a restart ends none for good.
/// The folder is its owner's alone.
fn resume_key(data: &Path) -> Result<String, CliError> {
    let file = data.join("resume.key");
    if !file.exists() {
        let secret = ResumeKey::secret().map_err(CliError::failed)?;
        let written = millrace_disk::replace(&file, &secret);
        written.map_err(|error| CliError::failed(format!("{}: {error}", file.display())))?;
    }
    Ok(file.display().to_string())
}

/// What shows how this process is, and ends it.
#[derive(Clone, Copy)]
struct Serving<'a> {
    health: &'a Health,
    telemetry: &'a Telemetry,
    stop: &'a Stop,
}

fn play(
    runtime: &Runtime,
    config: &Config,
    Brought { domains, pages }: Brought<'_>,
    data: &Path,
    embedded: &Embedded,
    Serving { health, telemetry, stop }: Serving<'_>,
    then: impl FnOnce(&Config, &Endpoints, &Path, &Stop) -> Result<(), CliError> + Send,
) -> Result<(), CliError> {
    let expected = prepare(config, domains)?;
    let served = health::serve(&config.settings, health.clone(), telemetry.clone(), health::Unless::Free);
    let served = runtime.block_on(served)?;
    let stores = Stores::default();
    let mut roles: Vec<Role<'_>> = Vec::new();
    for entry in domains {
        roles.extend(deciding_roles(config, &**entry));
        roles.extend(projector_roles(config, &**entry, &stores)?);
    }
    let bound = embedded.http.try_clone().and_then(Bound::of)?;
    let http = bound.url(&config.settings.gateway);
    roles.push(gateway::role(config, domains, pages, bound)?);
    std::thread::scope(|scope| {
        let threads = start(scope, roles, health, stop).inspect_err(|_| stop.request())?;
        let mut endpoints = embedded.endpoints(data);
        endpoints.http = Some(http);
        endpoints.health = served.map(|address| address.to_string());
        endpoints.topic_prefix.clone_from(&config.settings.topic_prefix);
        // whoever asks why it is not ready finds it by this
        let published = endpoints.publish().map_err(|error| CliError::from(error).context(data.display()));
        let announced = published.and_then(|()| match ready(health, stop, &expected) {
            Some(standing) => announce(&endpoints, &standing, !pages.is_empty())
                .and_then(|()| then(config, &endpoints, data, stop)),
            None => Ok(()),
        });
        if announced.is_err() {
            stop.request();
        }
        let ended = finish(threads);
        endpoints.withdraw();
        announced.and(ended)
    })
}

/// Topics, schemas and tables; how many partitions each role will have.
fn prepare(config: &Config, domains: &[Box<dyn DomainEntry>]) -> Result<Vec<(String, usize)>, CliError> {
    let servers = Servers::new(config);
    let (log, registry) = (servers.kafka()?, servers.registry()?);
    let admin = log.admin()?;
    let mut expected = Vec::new();
    // of all of them first: one may read what another writes
    domains.iter().try_for_each(|entry| topics::apply(&admin, servers.prefix(), &**entry))?;
    for entry in domains {
        schemas::register(&*registry, servers.prefix(), &**entry)?;
        let store = servers.store(&**entry)?;
        tables::create(&*store, &**entry, config)?;
        let partitions = log.partitions(&Topology::new(servers.prefix(), entry.name()).commands)?;
        let partitions = usize::try_from(partitions).unwrap_or_default();
        expected.push((format!("{}.processor", entry.name()), partitions));
        for (of, role) in entry.policies() {
            let events = Topology::new(servers.prefix(), of).events;
            let partitions = log.partitions(&events)?;
            expected.push((role, usize::try_from(partitions).unwrap_or_default()));
        }
        expected.push((gateway::lane(entry.name()), 1));
        for (family, versions) in tables::Catalogue::read(&*store, &**entry, config)?.families {
            let kept = versions.iter().filter(|it| it.is_kept_by(&family.revision));
            let role = format!("{}.projector.{}", entry.name(), family.name);
            expected.extend(kept.map(|it| (it.version.of(&role), partitions)));
        }
    }
    Ok(expected)
}

/// Waits until every partition of every role is at work; `None` when asked to stop before. Commands are accepted and
/// decided without a projector or a policy, and those of other partitions without one that stands still: so these are named and
/// not waited for.
fn ready(health: &Health, stop: &Stop, expected: &[(String, usize)]) -> Option<Vec<LaneReport>> {
    let mut said_at = Instant::now();
    loop {
        let missing = Missing::of(&health.report(), expected);
        if missing.roles.is_empty() {
            for lane in &missing.standing {
                let (what, means) = match &lane.role {
                    role if role.contains(".projector.") => ("a projector", "Its views go no further"),
                    role if role.contains(".policy.") => ("a policy", "What follows from those events waits"),
                    _ => ("a partition", "Its commands wait, those of the others are decided"),
                };
                tracing::error!(
                    role = lane.role,
                    partition = lane.partition,
                    "ready without {what} that stands still: {}. {means}. Next: {}",
                    lane.detail,
                    lane.next
                );
            }
            return Some(missing.standing);
        }
        if said_at.elapsed() >= SAY_AGAIN {
            said_at = Instant::now();
            tracing::warn!("not ready yet: {}", missing.roles.join("; "));
        }
        if stop.wait(LOOK) {
            return None;
        }
    }
}

/// Whether a role comes behind what was decided: commands are decided without it.
fn comes_behind(role: &str) -> bool {
    role.contains(".projector.") || role.contains(".policy.")
}

/// What a start still waits for, and what it does not wait for.
struct Missing {
    /// Roles that are not at work, each with what is known of it.
    roles: Vec<String>,
    /// Partitions that stand still, where the rest goes on without them.
    standing: Vec<LaneReport>,
}

impl Missing {
    fn of(report: &HealthReport, expected: &[(String, usize)]) -> Self {
        let mut missing = Self { roles: Vec::new(), standing: Vec::new() };
        // a broker that cannot write accepts no command
        let refusing = report.lanes.iter().filter(|it| it.role == servers::DISK);
        missing.roles.extend(refusing.map(|it| it.detail.clone()));
        for (role, partitions) in expected {
            let is_whole = gateway::is_lane(role);
            let lanes = || {
                let of_role = report.lanes.iter().filter(move |lane| lane.role == *role);
                of_role.filter(move |lane| is_whole || lane.partition != ROLE_ITSELF)
            };
            let at_work = lanes().filter(|lane| lane.state == LaneState::Running).count();
            let least = match comes_behind(role) {
                true => Some(STANDS_STILL),
                // without any no command is decided
                false => (at_work > 0).then_some(DECIDES_NOTHING),
            };
            let stands = |lane: &&LaneReport| {
                lane.state == LaneState::Faulted
                    && least.is_some_and(|least| lane.since_seconds >= least.as_secs_f64())
            };
            let standing: Vec<LaneReport> = lanes().filter(stands).cloned().collect();
            if at_work + standing.len() < *partitions {
                let faults = report.lanes.iter().filter(|it| it.role == *role && !it.next.is_empty());
                let faults: String = faults.map(|it| format!("; {}: {}", it.partition, it.detail)).collect();
                missing.roles.push(format!("{role} has {at_work} of {partitions} partitions{faults}"));
            }
            missing.standing.extend(standing);
        }
        missing
    }
}

/// The one line that scripts wait for, with the partitions that stand still, if any.
fn announce(endpoints: &Endpoints, standing: &[LaneReport], has_pages: bool) -> Result<(), CliError> {
    let Endpoints { kafka, registry, sqlite, http, .. } = endpoints;
    let http = http.as_deref().unwrap_or_default();
    let places: Vec<String> = standing.iter().map(|it| format!("{}[{}]", it.role, it.partition)).collect();
    let without = if places.is_empty() { String::new() } else { format!(" without={}", places.join(",")) };
    output::line(format!(
        "ready kafka={kafka} registry={registry}{without} tables={} http={http}",
        sqlite.display()
    ))?;
    // for a person, beside the line for programs
    if has_pages && io::stderr().is_terminal() {
        crate::foreign::say(format!(
            "Open {http} in a browser: a shop, chirps and accounts, on what runs here."
        ));
    }
    Ok(())
}

/// The servers of this process.
struct Embedded {
    broker: BrokerHandle,
    registry: RegistryHandle,
    /// Where the gateway listens: on loopback, whatever the others do.
    http: TcpListener,
    tables: PathBuf,
    state: PathBuf,
}

impl Embedded {
    fn start(runtime: &Runtime, config: &Config, data: &Path) -> Result<Self, CliError> {
        let up = &config.settings.up;
        let Reach { host, advertised, names } = Reach::of(up)?;
        let offsets_retention = offsets_retention(up.offsets_retention_minutes)?;
        writable(data)?;
        whole::check(data)?;
        let tables = data.join("tables");
        let mode = tables_mode(&up.tables_mode)?;
        millrace_disk::make_folder_for(&tables, mode).map_err(|error| unusable(&tables, &error))?;
        let mut kept = Kept::read(data);
        let broker = kept.open(
            up.kafka_port,
            |kept| &mut kept.kafka,
            |port| {
                let mut broker = BrokerConfig::new(data.join("kafka"));
                broker.listen = SocketAddr::new(host, port);
                // the roles run in this process: whoever was a member before has ended
                broker.keep_members = false;
                broker.own_listener = true;
                broker.offsets_retention = offsets_retention;
                // also those of versions of views, and of domains, that nobody runs at the time
                broker.keeps_group = Topology::is_group;
                broker.advertised.clone_from(&advertised);
                broker.limits.connections = up.max_connections;
                broker.limits.bytes_in_flight = up.max_in_flight_bytes;
                broker.sync = match up.sync_interval_ms {
                    0 => SyncPolicy::Always,
                    interval => SyncPolicy::Every(Duration::from_millis(interval)),
                };
                let started = runtime.block_on(Broker::start(broker));
                started.map(|handle| (handle.addr().port(), handle)).map_err(|error| match error {
                    BrokerError::PortTaken { .. } if port != up.kafka_port => None,
                    BrokerError::DataDirInUse { .. } => Some(in_use(data)),
                    other => Some(CliError::from(other)),
                })
            },
        )?;
        let registry = kept.open(
            up.registry_port,
            |kept| &mut kept.registry,
            |port| {
                let listen = SocketAddr::new(host, port);
                let mut registry = RegistryConfig { listen, own_listener: true, ..RegistryConfig::default() };
                registry.data_dir = Some(data.join("registry"));
                registry.limits.connections = up.max_connections;
                registry.hosts.clone_from(&names);
                let started = runtime.block_on(Registry::start(registry));
                started.map(|handle| (handle.address().port(), handle)).map_err(|error| match error {
                RegistryError::PortTaken { .. } if port != up.registry_port => None,
                RegistryError::PortTaken { address } => Some(CliError::failed(format!(
                    "port {} of {} is taken by another program; stop that one or choose another port with \
                     --registry-port",
                    address.port(),
                    address.ip()
                ))),
                RegistryError::InUse { .. } => Some(in_use(data)),
                other => Some(CliError::from(other)),
            })
            },
        )?;
        let http = kept.open(
            up.http_port,
            |kept| &mut kept.http,
            |port| {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let bound = TcpListener::bind(address).and_then(|it| Ok((it.local_addr()?.port(), it)));
                bound.map_err(|error| match error.kind() {
                    io::ErrorKind::AddrInUse if port != up.http_port => None,
                    io::ErrorKind::AddrInUse => Some(CliError::failed(format!(
                        "port {port} of {} is taken by another program; stop that one or choose another port with \
                         --http-port",
                        address.ip()
                    ))),
                    _ => Some(CliError::from(error)),
                })
            },
        )?;
        kept.write(data);
        Ok(Self { broker, registry, http, tables, state: data.join("state") })
    }

    /// The configuration of everything in this process: these servers, and nothing that was meant
    /// for others.
    fn config(&self, config: &Config) -> Config {
        let mut inner = config.clone();
        let settings = &mut inner.settings;
        // strangers cannot use up these connections, and need not be reachable by the name that others are told
        settings.kafka = self.broker.own_bootstrap_servers();
        settings.registry = self.registry.own_url();
        settings.sqlite = self.tables.display().to_string();
        settings.processor.state_dir = self.state.display().to_string();
        settings.projector.state_dir = settings.processor.state_dir.clone();
        settings.cql.clear();
        settings.kafka_client = Default::default();
        settings.registry_client = Default::default();
        settings.security = Default::default();
        inner.up = None;
        inner
    }

    /// Has everything asked to stop when the broker stops by itself; the shutdown says why.
    fn end_with_broker(&self, runtime: &Runtime, stop: Stop) {
        let halted = self.broker.halted();
        runtime.spawn(async move {
            halted.await;
            stop.request();
        });
    }

    fn endpoints(&self, data: &Path) -> Endpoints {
        Endpoints {
            kafka: self.broker.bootstrap_servers(),
            registry: self.registry.url(),
            sqlite: self.tables.clone(),
            data: data.to_path_buf(),
            pid: std::process::id(),
            health: None,
            http: None,
            topic_prefix: String::new(),
            file: PathBuf::new(),
        }
    }

    fn shutdown(self, runtime: &Runtime) -> Result<(), CliError> {
        runtime.block_on(self.registry.shutdown());
        Ok(runtime.block_on(self.broker.shutdown())?)
    }
}

/// What a start needs, at least, on the disk: a new data folder takes less.
const ROOM: usize = 1 << 20;

/// Makes the data folder and tries to write in it.
fn writable(data: &Path) -> Result<(), CliError> {
    let tried = millrace_disk::make_folder(data).and_then(|()| millrace_disk::takes(data, ROOM));
    tried.map_err(|error| match millrace_disk::is_full(&error) {
        true => CliError::failed(millrace_disk::told(data, &error)).hint(format!(
            "Nothing was changed, and nothing is lost. Make room, {ROOM} bytes at least, and start again; or choose another \
             folder with --data."
        )),
        false => unusable(data, &error),
    })
}

/// How long offsets are kept, which Kafka does not take for zero either.
fn offsets_retention(minutes: u32) -> Result<Duration, CliError> {
    if minutes == 0 {
        return Err(CliError::usage(
            "up.offsets_retention_minutes = 0: the offsets of a group would be gone as soon as its last member is",
        )
        .hint("Write at least 1; the default is 10080, which is seven days."));
    }
    Ok(Duration::from_secs(u64::from(minutes) * 60))
}

/// The mode of a folder, as `chmod` takes it; who runs `up` may do everything in it in any case.
fn tables_mode(text: &str) -> Result<u32, CliError> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777 && mode & 0o700 == 0o700);
    mode.ok_or_else(|| {
        CliError::usage(format!(
            "up.tables_mode = \"{text}\": not the mode of a folder that its owner can use"
        ))
        .hint("Write it as chmod does, such as 0700, 0750 or 0755.")
    })
}

fn unusable(folder: &Path, error: &io::Error) -> CliError {
    CliError::failed(format!("the data folder {} cannot be used: {error}", folder.display()))
        .hint("Check its owner and permissions, or choose another folder with --data.")
}

fn in_use(data: &Path) -> CliError {
    let by =
        Endpoints::read(&data.join("up.toml")).map(|up| format!(" (process {})", up.pid)).unwrap_or_default();
    CliError::failed(format!("the data folder {} is in use by another process{by}", data.display()))
        .hint("Stop that one, or choose another folder with --data.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESSOR: &str = "d.processor";
    const PROJECTOR: &str = "d.projector.rows";

    fn lane(role: &str, partition: i32, state: LaneState, since_seconds: f64) -> LaneReport {
        let (detail, next) = match state {
            LaneState::Faulted => ("a row is too large".to_owned(), "it is tried again".to_owned()),
            _ => Default::default(),
        };
        LaneReport { role: role.to_owned(), partition, state, since_seconds, detail, next }
    }

    fn missing(lanes: Vec<LaneReport>) -> Missing {
        let report = HealthReport { live: true, ready: false, healthy: false, lanes };
        Missing::of(&report, &[(PROCESSOR.to_owned(), 1), (PROJECTOR.to_owned(), 2)])
    }

    #[test]
    fn a_mode_is_what_chmod_takes_and_the_owner_can_use() {
        for (text, mode) in [("0750", 0o750), ("700", 0o700), ("0755", 0o755), ("2770", 0o2770)] {
            assert_eq!(tables_mode(text).unwrap(), mode, "{text}");
        }
        for text in ["", "0850", "0550", "rwx", "-1", "10755"] {
            let error = tables_mode(text).unwrap_err().to_string();
            assert!(error.contains("tables_mode"), "{error}");
        }
    }

    #[test]
    fn a_projector_that_stands_still_is_named_and_not_waited_for() {
        let (running, faulted) = (LaneState::Running, LaneState::Faulted);
        let decides = || lane(PROCESSOR, 0, running, 1.0);
        let found = missing(vec![
            decides(),
            lane(PROJECTOR, 0, faulted, 2.5),
            lane(PROJECTOR, 1, running, 0.1),
            lane(PROJECTOR, ROLE_ITSELF, running, 1.0),
        ]);
        assert_eq!(found.roles, Vec::<String>::new());
        assert_eq!(found.standing.iter().map(|it| it.partition).collect::<Vec<_>>(), [0]);
        assert_eq!(found.standing[0].detail, "a row is too large");

        // a fault may pass, and what has not begun is no fault
        for other in [lane(PROJECTOR, 0, faulted, 0.5), lane(PROJECTOR, 0, LaneState::Starting, 60.0)] {
            let found = missing(vec![decides(), other, lane(PROJECTOR, 1, running, 1.0)]);
            assert!(
                found.roles[0].contains(PROJECTOR) && found.roles[0].contains("1 of 2"),
                "{:?}",
                found.roles
            );
        }
        // without any processor no command is decided
        let rows = || [lane(PROJECTOR, 0, running, 1.0), lane(PROJECTOR, 1, running, 1.0)];
        let found = missing([lane(PROCESSOR, 0, faulted, 60.0)].into_iter().chain(rows()).collect());
        assert!(
            found.roles[0].contains(PROCESSOR) && found.roles[0].contains("too large"),
            "{:?}",
            found.roles
        );
    }

    #[test]
    fn offsets_are_kept_for_a_minute_at_least() {
        assert_eq!(offsets_retention(1).unwrap(), Duration::from_secs(60));
        let error = offsets_retention(0).unwrap_err().to_string();
        assert!(error.contains("up.offsets_retention_minutes = 0"), "{error}");
    }

    #[test]
    fn a_partition_that_stands_still_keeps_none_of_the_others_waiting() {
        let found = |lanes: Vec<LaneReport>| {
            let report = HealthReport { live: true, ready: false, healthy: false, lanes };
            Missing::of(&report, &[(PROCESSOR.to_owned(), 2)])
        };
        let decides = || lane(PROCESSOR, 0, LaneState::Running, 1.0);
        let without = found(vec![decides(), lane(PROCESSOR, 1, LaneState::Faulted, 5.5)]);
        assert_eq!(without.roles, Vec::<String>::new());
        assert_eq!(without.standing.iter().map(|it| it.partition).collect::<Vec<_>>(), [1]);
        let soon = found(vec![decides(), lane(PROCESSOR, 1, LaneState::Faulted, 3.0)]);
        assert!(soon.roles[0].contains("1 of 2"), "{:?}", soon.roles);
    }
}
