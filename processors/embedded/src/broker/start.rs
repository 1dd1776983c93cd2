//! Starting and stopping the broker.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::config::BrokerConfig;
use super::coordinator::expiry::{Patience, Retention};
use super::coordinator::groups::{GroupLimits, Groups};
use super::coordinator::txns::Txns;
use super::core::{Advertised, Core};
use super::error::BrokerError;
use super::server::{self, Door};
use super::storage::fault::LogError;
use super::storage::flusher::Flusher;
use super::storage::metalog::{self, MetaLog};
use super::storage::metastate::Entry;
use super::storage::places::Places;
use super::storage::room::Refusing;
use super::storage::{checkpoint, cleaner, retention};
use super::topics::{self, Topics};
use super::util::now_ms;
use crate::net::Taken;
use crate::net::places::Places as Connections;

/// How exactly sessions and transactions time out.
const TICK: Duration = Duration::from_millis(50);

/// How often it is looked whether partitions are due for a recovery point.
const RECOVERY_POINTS: Duration = Duration::from_millis(500);

/// The single-node Kafka broker.
#[derive(Debug)]
pub struct Broker;

/// A running broker. Dropping it closes the port but leaves out the checkpoint that makes the next
/// start quick; [`BrokerHandle::shutdown`] is better.
#[derive(Debug)]
pub struct BrokerHandle {
    addr: SocketAddr,
    advertised: Arc<Advertised>,
    own: Option<Arc<Advertised>>,
    core: Arc<Core>,
    places: Arc<Connections>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    cleaner: Option<std::thread::JoinHandle<()>>,
    _lock: File,
}

impl Broker {
    /// Opens the data folder, listens, and serves clients on the current Tokio runtime.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use millrace_embedded::broker::{Broker, BrokerConfig};
    /// let broker = Broker::start(BrokerConfig::new("data")).await?;
    /// println!("bootstrap.servers={}", broker.bootstrap_servers());
    /// broker.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(config: BrokerConfig) -> Result<BrokerHandle, BrokerError> {
        let lock_file = prepare_data_dir(&config.data_dir)?;
        let listener = bind(config.listen).await?;
        let addr =
            listener.local_addr().map_err(|source| BrokerError::Listen { addr: config.listen, source })?;
        let port_or = |port| if port == 0 { addr.port() } else { port };
        let set = config.advertised.clone().map(|(host, port)| Advertised { host, port: port_or(port) });
        let advertised = Arc::new(set.clone().unwrap_or_else(|| reachable(addr)));
        let places = Connections::new("broker", config.limits.clone());
        let mut doors = vec![Door {
            listener,
            advertised: set.map(Arc::new),
            places: Arc::clone(&places),
            own_only: false,
        }];
        if config.own_listener {
            doors.push(own_door(&config).await?);
        }
        let opening = Instant::now();
        let core = tokio::task::spawn_blocking(move || open(config))
            .await
            .map_err(|error| BrokerError::Damaged { what: error.to_string() })??;
        let core = Arc::new(core);
        tracing::info!(%addr, took_ms = opening.elapsed().as_millis() as u64, "the broker is up");

        let (stop, stopped) = watch::channel(false);
        let halted = core.flusher.halt().happened();
        let end = stop.clone();
        let own = doors.get(1).and_then(|door| door.advertised.clone());
        let mut tasks = vec![
            // Nobody is served by a broker that can say nothing for certain.
            tokio::spawn(end_when(halted, end, stopped.clone())),
            tokio::spawn(tick(Arc::clone(&core), stopped.clone())),
        ];
        for door in doors {
            tasks.push(tokio::spawn(server::serve(Arc::clone(&core), door, stopped.clone())));
        }
        let cleaning = Arc::clone(&core);
        let cleaner = std::thread::Builder::new()
            .name("kafka-cleaner".into())
            .spawn(move || clean(&cleaning, &stopped))
            .map_err(|source| BrokerError::Storage {
                action: "starting the cleaner",
                path: core.config.data_dir.clone(),
                source,
            })?;
        Ok(BrokerHandle {
            addr,
            advertised,
            own,
            core,
            places,
            stop,
            tasks,
            cleaner: Some(cleaner),
            _lock: lock_file,
        })
    }
}

impl BrokerHandle {
    /// Where the broker listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What clients put into `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> String {
        self.advertised.to_string()
    }

    /// What clients in this process put there; the same as others when there is no listener of their own.
    pub fn own_bootstrap_servers(&self) -> String {
        self.own.as_ref().unwrap_or(&self.advertised).to_string()
    }

    /// Returns, with the reason, when the broker has stopped by itself: memory and disk may differ after a
    /// write or sync that failed. Until then it waits.
    pub fn halted(&self) -> impl Future<Output = String> + Send + use<> {
        self.core.flusher.halt().happened()
    }

    /// How many connections of others there are, and who was turned away; for as long as it is asked.
    pub fn connections(&self) -> impl Fn() -> Taken + Clone + Send + Sync + use<> {
        let places = Arc::clone(&self.places);
        move || places.taken()
    }

    /// Tells when the disk takes no more writes, as it is full, and when it does again.
    pub fn refusing(&self) -> watch::Receiver<Option<Refusing>> {
        self.core.flusher.room().watch()
    }

    /// Stops serving, brings everything to the disk and leaves what makes the next start quick.
    ///
    /// # Errors
    /// [`BrokerError::Halted`] when the broker had stopped by itself; or something cannot be written.
    pub async fn shutdown(mut self) -> Result<(), BrokerError> {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            let _ = task.await;
        }
        let core = Arc::clone(&self.core);
        let cleaner = self.cleaner.take();
        let result = tokio::task::spawn_blocking(move || {
            if let Some(cleaner) = cleaner
                && cleaner.join().is_err()
            {
                tracing::error!("the cleaning thread ended early");
            }
            let result = write_checkpoints(&core);
            core.flusher.stop();
            result
        })
        .await;
        result.unwrap_or_else(|error| Err(BrokerError::Damaged { what: error.to_string() }))
    }
}

impl Drop for BrokerHandle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn write_checkpoints(core: &Core) -> Result<(), BrokerError> {
    // A checkpoint says what the disk holds, which is not known any more.
    if let Some(why) = core.flusher.halt().why() {
        return Err(BrokerError::Halted { why });
    }
    for topic in core.topics.all() {
        for partition in &topic.partitions {
            let log = partition.log();
            log.checkpoint().map_err(|source| BrokerError::Storage {
                action: "writing a checkpoint",
                path: log.dir.clone(),
                source,
            })?;
        }
    }
    Ok(())
}

fn prepare_data_dir(dir: &Path) -> Result<File, BrokerError> {
    let not_writable = |source| BrokerError::DataDirNotWritable { path: dir.to_path_buf(), source };
    millrace_disk::make_folder_for(dir, millrace_disk::PRIVATE).map_err(not_writable)?;
    let file = millrace_disk::open_to_write(&dir.join("broker.lock")).map_err(not_writable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(BrokerError::DataDirInUse { path: dir.to_path_buf() });
        }
        Err(TryLockError::Error(source)) => return Err(not_writable(source)),
    }
    let _ = file.set_len(0);
    let _ = writeln!(&file, "{}", std::process::id());
    Ok(file)
}

async fn bind(addr: SocketAddr) -> Result<TcpListener, BrokerError> {
    TcpListener::bind(addr).await.map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            BrokerError::PortTaken { addr }
        } else {
            BrokerError::Listen { addr, source }
        }
    })
}

fn open(config: BrokerConfig) -> Result<Core, BrokerError> {
    let dir = config.data_dir.clone();
    let failed = |action: &'static str, path: PathBuf| {
        move |source: io::Error| BrokerError::Storage { action, path, source }
    };
    let places = Places::of(&dir);
    let path = dir.join("metadata.log");
    // Everything is looked at before anything is changed.
    let reading = metalog::read_file(&path)?;
    let state = reading.state.clone();
    if state.cluster_id.is_none() && places.have_topics()? {
        return Err(without_metadata(path, &places).into());
    }
    let found = topics::look(&places, &state)?;

    let flusher =
        Flusher::start(config.sync, &dir).map_err(failed("starting the flushing thread", dir.clone()))?;
    let metadata = MetaLog::open(&path, reading, &places.aside, Arc::clone(&flusher))
        .map_err(failed("opening the metadata log", path.clone()))?;
    let metadata = Arc::new(metadata);
    let cluster_id = match &state.cluster_id {
        Some(id) => id.clone(),
        None => {
            let id = Uuid::new_v4().simple().to_string();
            metadata
                .append(&[Entry::Cluster(id.clone())])
                .map_err(failed("writing the metadata log", path))?;
            id
        }
    };
    let topics = Topics::open(places, &state, found, Arc::clone(&metadata), Arc::clone(&flusher))?;
    let topics = Arc::new(topics);
    let limits = GroupLimits {
        initial_delay: config.initial_rebalance_delay,
        min_session: config.min_session_timeout,
        max_session: config.max_session_timeout,
        keep_members: config.keep_members,
        retention: Retention { keep: config.offsets_retention, for_good: config.keeps_group },
    };
    let groups = Arc::new(Groups::restored(&state, Arc::clone(&metadata), limits));
    let txns = Txns::restored(
        &state,
        Arc::clone(&metadata),
        Arc::clone(&topics),
        Arc::clone(&groups),
        config.max_transaction_timeout,
    );
    Ok(Core { config, cluster_id, metadata, topics, groups, txns, flusher })
}

/// What only clients of this process come by.
async fn own_door(config: &BrokerConfig) -> Result<Door, BrokerError> {
    let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let addr = listener.local_addr().map_err(|source| BrokerError::Listen { addr: config.listen, source })?;
    Ok(Door {
        listener,
        advertised: Some(Arc::new(reachable(addr))),
        places: Connections::new("broker", config.limits.own()),
        own_only: true,
    })
}

/// Topics without the file that names them: begun anew, the broker would know none of them.
fn without_metadata(path: PathBuf, places: &Places) -> LogError {
    LogError::Missing {
        why: format!("or empty, though there are topics in {}", places.topics.display()),
        way_out: format!(
            "or, to begin anew without all that was stored, move {} and {} away",
            places.topics.display(),
            path.display()
        ),
        path,
    }
}

/// How clients on this machine reach an address that is listened on.
fn reachable(addr: SocketAddr) -> Advertised {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Advertised { host: ip.to_string(), port: addr.port() }
}

async fn end_when(
    halted: impl Future<Output = String>,
    stop: watch::Sender<bool>,
    mut stopped: watch::Receiver<bool>,
) {
    tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => {}
        _ = halted => {
            stop.send_replace(true);
        }
    }
}

async fn tick(core: Arc<Core>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(TICK) => {}
        }
        core.groups.tick(Instant::now());
        // each of them would fail again, and be said again
        if !core.flusher.room().is_refusing() {
            core.txns.tick();
        }
    }
}

fn clean(core: &Core, stopped: &watch::Receiver<bool>) {
    let step = Duration::from_millis(50).min(core.config.cleanup_interval);
    let mut patience = Patience::new(core.config.offsets_retention, Instant::now(), now_ms());
    let mut next_expiry = Instant::now();
    let mut next = Instant::now() + core.config.cleanup_interval;
    let mut next_points = Instant::now();
    while !*stopped.borrow() {
        core.flusher.room().try_again();
        if Instant::now() >= next_points {
            core.topics.all().iter().flat_map(|topic| &topic.partitions).for_each(|it| checkpoint::run(it));
            next_points = Instant::now() + RECOVERY_POINTS;
        }
        if Instant::now() >= next_expiry {
            let (now, now_ms) = (Instant::now(), now_ms());
            if patience.is_over(now, now_ms) && !core.flusher.room().is_refusing() {
                core.groups.expire(now_ms);
            }
            next_expiry = now + core.config.offsets_check_interval;
        }
        if Instant::now() < next {
            std::thread::sleep(step);
            continue;
        }
        for topic in core.topics.all() {
            for partition in &topic.partitions {
                retention::run(partition, &topic.settings, &core.metadata);
                cleaner::run(partition, &topic.settings, &|| *stopped.borrow());
            }
        }
        next = Instant::now() + core.config.cleanup_interval;
    }
}
