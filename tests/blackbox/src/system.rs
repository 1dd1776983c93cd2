//! The system under test in its two shapes: `millrace up`, and roles on real servers.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use millrace_services::{Port, Services, free_port, keyspace, topic_prefix};
use tempfile::TempDir;

use crate::{Cli, LATER, Process, SOON, http_get, millrace};

/// Settings under which a few hundred followers make celebrities, and most chirps are told in pieces.
pub const SMALL_THRESHOLDS: &str =
    "[chirp]\ncelebrity_above = 60\ncelebrity_below = 50\ntimeline_cap = 100\nfan_out_at_once = 5\n";

/// What every test of a running system needs to know of it.
pub trait System {
    /// The command line that reaches it.
    fn cli(&self) -> Cli;
    /// Kafka, as `host:port`.
    fn kafka(&self) -> &str;
    /// The registry's URL.
    fn registry(&self) -> &str;
    /// What its topics' names begin with.
    fn prefix(&self) -> &str;
    /// The folder of its configuration and logs.
    fn dir(&self) -> &Path;
    /// Where a foreign driver finds the tables, as arguments of `verify.py`.
    fn tables(&self) -> Vec<String>;
}

/// Folders are named by the process that made them.
const DIR_PREFIX: &str = "millrace-blackbox-";

/// A folder for one test with a `millrace.toml`; removed when dropped, or by a later process if that never happens: the
/// systems that tests share live in statics.
pub fn workdir(settings: &str) -> TempDir {
    sweep();
    let prefix = format!("{DIR_PREFIX}{}-", std::process::id());
    let dir = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary folder");
    fs::write(dir.path().join("millrace.toml"), settings).expect("a file in it");
    dir
}

/// Removes the folders of processes that are no more. Best effort: others may be sweeping, too.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(DIR_PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// `millrace up` on ports that stay its own while it is down.
#[derive(Debug)]
pub struct Embedded {
    /// The process.
    pub up: Process,
    dir: TempDir,
    kafka: String,
    registry: String,
    tables: String,
    http: String,
    has_own_disk: bool,
    _ports: [Port; 3],
}

impl Embedded {
    /// Starts it on new data and waits until it is ready.
    pub fn start(settings: &str) -> Self {
        let mut embedded = Self::launch(settings, millrace(), &[]);
        embedded.await_ready();
        embedded
    }

    /// The same on a disk of its own of so many bytes, which ends with the process.
    pub fn on_small_disk(settings: &str, bytes: usize) -> Self {
        let mut embedded = Self::launch_on_small_disk(settings, bytes, 0);
        embedded.await_ready();
        embedded
    }

    /// The same, of which so many bytes are taken already; it may not become ready.
    pub fn launch_on_small_disk(settings: &str, bytes: usize, taken: usize) -> Self {
        // In a namespace of mounts, where whoever runs tests may mount what others do not see.
        let script = "mount -t tmpfs -o size=$1 tmpfs data && head -c $2 /dev/zero > data/filler && shift 2 && exec \"$@\"";
        let (bytes, taken) = (bytes.to_string(), taken.to_string());
        let binary = millrace().display().to_string();
        let leading =
            ["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", &bytes, &taken, &binary];
        Self::launch(settings, PathBuf::from("unshare"), &leading)
    }

    fn launch(settings: &str, program: PathBuf, leading: &[&str]) -> Self {
        let dir = workdir(settings);
        let ports = [(); 3].map(|()| free_port().expect("a port"));
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("a folder in its folder");
        let mut arguments: Vec<String> = leading.iter().map(|it| (*it).to_owned()).collect();
        arguments.extend([
            "up".to_owned(),
            "--data".to_owned(),
            data.display().to_string(),
            "--kafka-port".to_owned(),
            ports[0].number().to_string(),
            "--registry-port".to_owned(),
            ports[1].number().to_string(),
            "--http-port".to_owned(),
            ports[2].number().to_string(),
        ]);
        let up = Process::start("up", dir.path(), program, arguments);
        Self {
            up,
            dir,
            kafka: String::new(),
            registry: String::new(),
            tables: String::new(),
            http: String::new(),
            has_own_disk: !leading.is_empty(),
            _ports: ports,
        }
    }

    /// Its data folder, as it sees it itself.
    pub fn data(&self) -> PathBuf {
        let inside = self.dir.path().join("data");
        let inside = inside.strip_prefix("/").expect("an absolute path").to_owned();
        Path::new("/proc").join(self.up.pid().to_string()).join("root").join(inside)
    }

    /// Fills its disk, of which the bytes are its own; [`Embedded::make_room`] takes it back.
    pub fn fill_disk(&self) {
        let mut filler = fs::File::create(self.data().join("filler")).expect("a file on its disk");
        let block = [0; 4096];
        let full = std::iter::repeat_with(|| filler.write_all(&block)).find_map(Result::err);
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::StorageFull));
    }

    /// Makes room again.
    pub fn make_room(&self) {
        fs::remove_file(self.data().join("filler")).expect("the disk was full");
    }

    /// What it says at a health endpoint.
    pub fn health(&self, path: &str) -> String {
        let up = fs::read_to_string(self.data().join("up.toml")).expect("it is ready");
        let address = up.lines().find_map(|line| line.strip_prefix("health = \"")?.strip_suffix('"'));
        http_get(address.unwrap_or_else(|| panic!("no address in {up}")), path)
    }

    /// Its gateway, as `host:port`.
    pub fn http(&self) -> &str {
        self.http.trim_start_matches("http://")
    }

    /// Waits for `ready kafka=HOST:PORT registry=URL tables=DIR http=URL` and takes the addresses from it.
    pub fn await_ready(&mut self) {
        let line = self.up.line("ready ", SOON);
        let value = |name: &str| {
            let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            word.unwrap_or_else(|| panic!("`{name}=` is missing in `{line}`")).to_owned()
        };
        (self.kafka, self.registry, self.tables) = (value("kafka"), value("registry"), value("tables"));
        self.http = value("http");
    }
}

impl System for Embedded {
    fn cli(&self) -> Cli {
        let flags = ["--kafka", &self.kafka, "--registry", &self.registry, "--sqlite", &self.tables];
        let cli = Cli::new(self.dir(), flags.map(str::to_owned).to_vec());
        if self.has_own_disk { cli.within(self.up.pid()) } else { cli }
    }
    fn kafka(&self) -> &str {
        &self.kafka
    }
    fn registry(&self) -> &str {
        &self.registry
    }
    fn prefix(&self) -> &str {
        ""
    }
    fn dir(&self) -> &Path {
        self.dir.path()
    }
    fn tables(&self) -> Vec<String> {
        vec!["--sqlite".to_owned(), self.tables.clone()]
    }
}

/// Processors and projectors on real servers, under a prefix and a keyspace of their own.
#[derive(Debug)]
pub struct Cluster {
    /// The command processors.
    pub processors: Vec<Process>,
    /// The projectors.
    pub projectors: Vec<Process>,
    dir: PathBuf,
    settings: String,
    _temporary: Option<TempDir>,
    kafka: String,
    registry: String,
    cql: String,
    /// Where roles find the tables, when that is elsewhere.
    cql_of_roles: Option<String>,
    prefix: String,
    keyspace: String,
}

impl Cluster {
    /// Makes topics, schemas and tables on the shared servers and starts `each` processors and projectors.
    pub fn start(test: &str, settings: &str, each: usize) -> Self {
        let kafka = &Services::kafka().unwrap_or_else(|error| panic!("{error}")).bootstrap;
        let registry = &Services::registry().unwrap_or_else(|error| panic!("{error}")).url;
        let cql = &Services::cql().unwrap_or_else(|error| panic!("{error}")).contact_point;
        let mut cluster = Self::on(test, settings, kafka, registry, cql);
        cluster.set_up();
        cluster.start_roles(each);
        cluster
    }

    /// A cluster on these servers with nothing made and nothing started yet.
    pub fn on(test: &str, settings: &str, kafka: &str, registry: &str, cql: &str) -> Self {
        let dir = workdir(settings);
        let mut cluster = Self::within(dir.path(), test, settings, kafka, registry, cql);
        cluster._temporary = Some(dir);
        cluster
    }

    /// The same in a folder that stays: whoever reads its logs removes it.
    pub fn within(dir: &Path, test: &str, settings: &str, kafka: &str, registry: &str, cql: &str) -> Self {
        fs::write(dir.join("millrace.toml"), settings).expect("a file in its folder");
        Self {
            processors: Vec::new(),
            projectors: Vec::new(),
            dir: dir.to_path_buf(),
            settings: settings.to_owned(),
            _temporary: None,
            kafka: kafka.to_owned(),
            registry: registry.to_owned(),
            cql: cql.to_owned(),
            cql_of_roles: None,
            prefix: topic_prefix(test),
            keyspace: keyspace(test),
        }
    }

    /// The same, whose roles reach the tables at another address; whoever looks at them from outside does not.
    pub fn with_roles_at(self, cql: &str) -> Self {
        Self { cql_of_roles: Some(cql.to_owned()), ..self }
    }

    /// Makes topics, schemas and tables.
    pub fn set_up(&self) {
        let cli = self.cli();
        cli.ok(&["topics", "apply"]);
        cli.ok(&["schemas", "register"]);
        cli.ok(&["tables", "apply"]);
    }

    /// Starts `each` processors and projectors.
    pub fn start_roles(&mut self, each: usize) {
        for _ in 0..each {
            self.processors.push(self.role("processor", self.processors.len()));
            self.projectors.push(self.role("projector", self.projectors.len()));
        }
    }

    /// Starts one process of a role, in a folder of its own: what it keeps on disk is its own as on a machine of its own.
    pub fn role(&self, role: &str, number: usize) -> Process {
        let name = format!("{role}{number}");
        let dir = self.dir.join(&name);
        fs::create_dir_all(&dir).expect("a folder in its folder");
        fs::write(dir.join("millrace.toml"), &self.settings).expect("a file in it");
        let mut arguments = vec![role.to_owned()];
        let cli = self.cli().with("--cql", self.cql_of_roles.as_ref().unwrap_or(&self.cql));
        arguments.extend(cli.flags().iter().cloned());
        let health = free_port().expect("a port");
        arguments.extend(["--health-port".to_owned(), health.number().to_string()]);
        Process::start(&name, &dir, millrace(), arguments).serving(health)
    }
}

impl System for Cluster {
    fn cli(&self) -> Cli {
        let flags = [
            "--kafka",
            &self.kafka,
            "--registry",
            &self.registry,
            "--cql",
            &self.cql,
            "--topic-prefix",
            &self.prefix,
            "--keyspace",
            &self.keyspace,
        ];
        Cli::new(self.dir(), flags.map(str::to_owned).to_vec())
    }
    fn kafka(&self) -> &str {
        &self.kafka
    }
    fn registry(&self) -> &str {
        &self.registry
    }
    fn prefix(&self) -> &str {
        &self.prefix
    }
    fn dir(&self) -> &Path {
        &self.dir
    }
    fn tables(&self) -> Vec<String> {
        vec!["--cql".to_owned(), self.cql.clone(), self.keyspace.clone()]
    }
}

/// A `millrace up` that tests of this process share: those that do not disturb each other.
pub fn shared_embedded() -> &'static Embedded {
    static SYSTEM: OnceLock<Embedded> = OnceLock::new();
    SYSTEM.get_or_init(|| Embedded::start(SMALL_THRESHOLDS))
}

/// A processor and a projector on real servers that tests of this process share.
pub fn shared_cluster() -> &'static Cluster {
    static SYSTEM: OnceLock<Cluster> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let cluster = Cluster::start("shared", SMALL_THRESHOLDS, 1);
        cluster.cli().wait_caught_up(LATER);
        cluster
    })
}
