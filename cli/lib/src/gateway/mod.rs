//! `millrace gateway`, and the gateway of `up`: what it is made of, where it listens, and how it ends.

mod access;
mod client;
mod keys;
mod link;
mod operations;
mod sender;
mod told;

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use millrace_embedded::net::http;
use millrace_gateway::documents::Described;
use millrace_gateway::pages::PageFile;
use millrace_gateway::ports::{Description, DomainLink, Resource, TopicDescription, ViewDescription};
use millrace_gateway::{Gateway, Parts};
use millrace_ports::SystemClock;
use millrace_runtime::health::{LaneState, ROLE_ITSELF};
use millrace_runtime::{Health, Stop};
use millrace_tls::Certificate;
use tokio::sync::watch;

pub use self::client::HttpClient;
use self::link::Link;
use self::operations::Looks;
use self::sender::Sender;
pub use self::told::Told;
use crate::config::{Config, GatewayAuth, GatewaySettings};
use crate::connect::Servers;
use crate::domain::{self, DomainEntry, message_types};
use crate::error::CliError;
use crate::roles::{Role, play};
use crate::schemas::text_of;
use crate::seal;
use crate::topics::{Topic, declaration};

/// The role's name.
const ROLE: &str = "gateway";
/// What it is called in the log.
const WHAT: &str = "the gateway";
/// How long answers that are under way may take once it is to end: more than anybody is still waited for.
const DRAIN: Duration = Duration::from_secs(10);
/// Threads that may wait for a table or look into the log at once.
const BLOCKING_THREADS: usize = 128;

/// Runs `millrace gateway`.
///
/// # Errors
/// An address that cannot be listened on, or what no waiting mends.
pub fn run(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    pages: &'static [PageFile],
) -> Result<(), CliError> {
    without_huge_pages();
    let bound = Bound::listen(config)?;
    tracing::info!("the gateway is at {}", bound.url(&config.settings.gateway));
    play(config, vec![role(config, domains, pages, bound)?])
}

/// Asks the system for no huge pages. A processor that looks up states all over its memory is a third slower without them; a
/// gateway holds many small things that come and go, and would have half as much memory again for nothing: 42 kB an idle
/// stream instead of 27.
fn without_huge_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay in use, which takes more memory");
    }
}

/// Prints the OpenAPI document of these domains.
///
/// # Errors
/// As [`role`].
pub fn print_openapi(config: &Config, domains: &[Box<dyn DomainEntry>]) -> Result<(), CliError> {
    print(config, domains, |described| described.openapi())
}

/// Prints the AsyncAPI document of these domains.
///
/// # Errors
/// As [`role`].
pub fn print_asyncapi(config: &Config, domains: &[Box<dyn DomainEntry>]) -> Result<(), CliError> {
    print(config, domains, |described| described.asyncapi())
}

fn print(
    config: &Config,
    entries: &[Box<dyn DomainEntry>],
    document: impl Fn(&Described<'_>) -> String,
) -> Result<(), CliError> {
    let described = entries.iter().map(|entry| describe(config, &**entry)).collect::<Result<Vec<_>, _>>()?;
    let domains: Vec<&Description> = described.iter().map(|(description, _)| description).collect();
    let (resources, authenticator) = (resources(config, entries)?, access::authenticator(config)?);
    let described = Described { domains: &domains, resources: &resources, authenticator: &authenticator };
    Ok(io::stdout().write_all(document(&described).as_bytes())?)
}

/// What a domain has of its own, with the domain's name.
type OfDomain = (&'static str, Arc<dyn Resource>);

/// What the domains have of their own.
fn resources(config: &Config, domains: &[Box<dyn DomainEntry>]) -> Result<Vec<OfDomain>, CliError> {
    let mut resources = Vec::new();
    for entry in domains {
        for tool in entry.tools() {
            resources.extend(tool.resource(config)?.map(|resource| (entry.name(), resource)));
        }
    }
    Ok(resources)
}

/// The lane under which the gateway says how it is with a domain.
#[must_use]
pub fn lane(domain: &str) -> String {
    format!("{domain}.{ROLE}")
}

/// Whether a role is such a lane.
#[must_use]
pub fn is_lane(role: &str) -> bool {
    role.strip_suffix(ROLE).is_some_and(|rest| rest.ends_with('.'))
}

/// Where the gateway listens.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// What somebody has bound.
    ///
    /// # Errors
    /// The system refuses.
    pub fn of(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Listens where the settings say.
    ///
    /// # Errors
    /// An address that is none, is taken, or is open to others although nobody is asked for a name.
    fn listen(config: &Config) -> Result<Self, CliError> {
        let listen = &config.settings.gateway.listen;
        let origin = config.origin("gateway.listen");
        let addresses = listen.to_socket_addrs().map_err(|error| {
            CliError::usage(format!("gateway.listen = {listen:?}, from {origin}: {error}"))
                .hint("Write it as address:port, such as 127.0.0.1:8080.")
        })?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        let beyond = addresses.iter().find(|address| !address.ip().is_loopback());
        let is_encrypted = !config.settings.gateway.tls_certificate_file.is_empty();
        if let (GatewayAuth::None, Some(beyond)) = (config.settings.gateway.auth, beyond) {
            return Err(CliError::usage(format!(
                "gateway.listen = {listen:?}, from {origin}: {} can be reached by others, and with gateway.auth = \"none\" \
                 nobody is asked for a name",
                beyond.ip()
            ))
            .hint("Listen on loopback, such as 127.0.0.1:8080, or set gateway.auth = \"jwt\"."));
        }
        if let (false, Some(beyond)) = (is_encrypted, beyond) {
            tracing::warn!(
                "the gateway listens on {} and encrypts nothing: whoever is on the way reads the tokens. Set \
                 gateway.tls_certificate_file and gateway.tls_key_file, or have what stands before it encrypt",
                beyond.ip()
            );
        }
        let bound = TcpListener::bind(&addresses[..]).and_then(Self::of);
        bound.map_err(|error| {
            CliError::failed(format!("the gateway cannot listen on {listen}: {error}"))
                .hint("Choose another address or port with --listen.")
        })
    }

    /// Its URL with these settings.
    #[must_use]
    pub fn url(&self, settings: &GatewaySettings) -> String {
        let scheme = if settings.tls_certificate_file.is_empty() { "http" } else { "https" };
        format!("{scheme}://{}", self.address)
    }
}

/// The gateway of these domains.
///
/// # Errors
/// Schemas, tables or settings of a domain that are wrong.
pub fn role<'a>(
    config: &'a Config,
    domains: &'a [Box<dyn DomainEntry>],
    pages: &'static [PageFile],
    bound: Bound,
) -> Result<Role<'a>, CliError> {
    let described = domains.iter().map(|entry| describe(config, &**entry)).collect::<Result<Vec<_>, _>>()?;
    let settings = &config.settings.gateway;
    let (authenticator, certificate) = (access::authenticator(config)?, access::certificate(settings)?);
    let limits = access::limits(config, &authenticator)?;
    let resume_key = access::resume_key(settings)?;
    let seals_for = seal::public_keys(config)?;
    let resources = resources(config, domains)?;
    let operations = Looks::new(config, domains)?;
    let work = move |health: &Health, stop: &Stop| {
        let servers = Servers::new(config);
        let log = servers.kafka_of_role()?;
        let registry = servers.registry_unreached()?;
        let sender = Arc::new(Sender(log.producer()?));
        let link = |(description, entry): (Description, Arc<dyn DomainEntry>)| {
            let link = Link::new(config.clone(), entry, Arc::clone(&registry))?;
            Ok((description, Arc::new(link) as Arc<dyn DomainLink>))
        };
        let domains = described.into_iter().map(link).collect::<Result<_, CliError>>()?;
        let (end, ending) = watch::channel(false);
        let gateway = Gateway::new(Parts {
            domains,
            resources,
            pages,
            operations,
            log: Arc::new(log),
            sender,
            clock: Arc::new(SystemClock),
            authenticator,
            limits,
            resume_key,
            seals_for,
            meter: health.metrics().gateway(),
            ending,
        });
        let gateway = gateway.map_err(CliError::usage)?;
        serve(&gateway, Listening { bound, certificate, settings }, &end, health, stop)
    };
    Ok(Role { name: ROLE.to_owned(), work: Box::new(work) })
}

/// Where it listens, and what its clients are shown.
struct Listening<'a> {
    bound: Bound,
    certificate: Option<Arc<Certificate>>,
    settings: &'a GatewaySettings,
}

/// Serves until `stop`, and then until those who wait have been answered.
fn serve(
    gateway: &Gateway,
    Listening { bound, certificate, settings }: Listening<'_>,
    end: &watch::Sender<bool>,
    health: &Health,
    stop: &Stop,
) -> Result<(), CliError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("millrace-http").max_blocking_threads(BLOCKING_THREADS);
    let runtime = builder.build()?;
    let url = bound.url(settings);
    let limits = access::connections(settings);
    // who waits is answered before the readers of outcomes end
    let last = Stop::new();
    let served = std::thread::scope(|scope| {
        for (name, follow) in gateway.followers() {
            // there from the beginning, so that nobody takes a gateway for ready that has not looked for its topics yet
            health.set(&name, ROLE_ITSELF, LaneState::Starting, "about to look for its topics and schemas");
            let health = health.clone();
            let ends = last.clone();
            let thread = std::thread::Builder::new().name(name);
            // what has begun must end, for this to end
            thread.spawn_scoped(scope, move || follow(&health, &ends)).inspect_err(|_| last.request())?;
        }
        for (name, follow) in gateway.changes() {
            let (health, ends) = (health.clone(), last.clone());
            let thread = std::thread::Builder::new().name(name);
            thread.spawn_scoped(scope, move || follow(&health, &ends)).inspect_err(|_| last.request())?;
        }
        for (name, keep) in gateway.keepers() {
            let (health, ends) = (health.clone(), last.clone());
            let thread = std::thread::Builder::new().name(name);
            thread.spawn_scoped(scope, move || keep(&health, &ends)).inspect_err(|_| last.request())?;
        }
        if let Some(certificate) = certificate.clone() {
            let (health, ends) = (health.clone(), last.clone());
            let thread = std::thread::Builder::new().name("certificate".to_owned());
            let keep = move || access::keep(&certificate, &health, &ends);
            thread.spawn_scoped(scope, keep).inspect_err(|_| last.request())?;
        }
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(bound.listener)?;
            let (router, stopped) = (gateway.router(), end.subscribe());
            let sockets = gateway.clone();
            let serving = async move {
                match certificate {
                    None => http::serve(WHAT, listener, router, limits, stopped).await,
                    Some(certificate) => {
                        http::serve_encrypted(WHAT, listener, certificate, router, limits, stopped).await;
                    }
                }
                sockets.closed().await;
            };
            tokio::pin!(serving);
            health.set(ROLE, ROLE_ITSELF, LaneState::Running, format!("answers at {url}"));
            let asked = stop.clone();
            let stopped = tokio::task::spawn_blocking(move || while !asked.wait(Duration::from_secs(60)) {});
            tokio::select! {
                () = &mut serving => {}
                _ = stopped => {
                    health.set(ROLE, ROLE_ITSELF, LaneState::Starting, "ending: takes no connections any more");
                    end.send_replace(true);
                    if tokio::time::timeout(DRAIN, serving).await.is_err() {
                        tracing::warn!("some clients have not taken their answers in time");
                    }
                }
            }
            Ok::<_, io::Error>(())
        });
        last.request();
        served
    });
    runtime.shutdown_background();
    Ok(served?)
}

/// A domain as the gateway knows it, and what leads to its types.
fn describe(
    config: &Config,
    entry: &dyn DomainEntry,
) -> Result<(Description, Arc<dyn DomainEntry>), CliError> {
    let families = entry.families(config)?;
    let tables = domain::tables(entry)?;
    let view = |table: millrace_kernel::Table| {
        let family = families.iter().find(|family| family.views.contains(&table.name.as_str()))?;
        Some(Arc::new(ViewDescription { projection: format!("{}.{}", entry.name(), family.name), table }))
    };
    let directories: Vec<String> = tables.iter().filter_map(millrace_kernel::Table::directory).collect();
    // which buckets there are is the affair of those who read tables themselves
    let shown = tables.into_iter().filter(|table| !directories.contains(&table.name));
    let prefix = &config.settings.topic_prefix;
    let description = Description {
        name: entry.name(),
        schemas: entry.schemas(),
        types: message_types(entry)?,
        views: shown.filter_map(view).collect(),
        refuses_expired: entry.refuses_expired(),
        topology: entry.topology(prefix),
        topics: topics(prefix, entry)?,
    };
    Ok((description, Arc::from(entry.apart())))
}

/// The topics of a domain, as declared.
fn topics(prefix: &str, entry: &dyn DomainEntry) -> Result<Vec<TopicDescription>, CliError> {
    let declared = declaration(entry)?;
    let schemas = entry.schemas();
    let topic = |(suffix, topic): (String, Topic)| TopicDescription {
        name: format!("{prefix}{}.{suffix}", entry.name()),
        schema: topic.schema.and_then(|file| text_of(&schemas, &file)),
        suffix,
        partitions: declared.partitions,
        copies: declared.replication_factor,
        config: topic.config.into_iter().collect(),
    };
    Ok(declared.topics.into_iter().map(topic).collect())
}
