//! The command line.

mod architecture;
mod dead;
mod declared;
mod examine;
mod messages;
mod rebuild;
mod secrets;
mod token;
mod up;

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub use self::architecture::{Architecture, Format};
pub use self::dead::{Dead, DeadAction, DeadChosen};
pub use self::declared::{Declared, SchemasAction, TablesAction, TopicsAction};
pub use self::examine::{Explain, History, Verify};
pub use self::messages::{Load, Query, Send, Watch};
pub use self::rebuild::Rebuild;
pub use self::secrets::{NewPseudonymKey, SealKey, Unseal};
pub use self::token::Token;
pub use self::up::{Demo, Up};
use crate::config::{Given, Inputs, LONGEST_SECONDS};
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::tool;

/// Kafka-native command processing and event sourcing.
///
/// Commands go in as Kafka records, are decided exactly once, and come out as events, outcomes and
/// tables. Everything on this machine, nothing installed:
///
///   millrace up --data ./millrace-data
#[derive(Debug, Parser)]
#[command(name = "millrace", version, max_term_width = 100, verbatim_doc_comment)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where everything is.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every subcommand.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Where everything is")]
pub struct Global {
    /// Brokers of Kafka, as host:port, several separated by commas
    #[arg(long, global = true, value_name = "HOSTS")]
    pub kafka: Option<String>,
    /// URL of the schema registry
    #[arg(long, global = true, value_name = "URL")]
    pub registry: Option<String>,
    /// Tables on ScyllaDB or Cassandra: host:port, several separated by commas
    #[arg(long, global = true, value_name = "HOSTS", conflicts_with = "sqlite")]
    pub cql: Option<String>,
    /// Tables in SQLite files in this folder
    #[arg(long, global = true, value_name = "DIR")]
    pub sqlite: Option<PathBuf>,
    /// What the names of topics, groups and transactional ids begin with
    #[arg(long, global = true, value_name = "P")]
    pub topic_prefix: Option<String>,
    /// Keyspace of the tables on CQL [default: the domain's name]
    #[arg(long, global = true, value_name = "K")]
    pub keyspace: Option<String>,
    /// A property of the Kafka client (librdkafka); repeatable. Secrets go into the
    /// configuration file or the environment
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set_kafka: Vec<String>,
    /// Serve /live, /ready and /health on this port; 0 is off
    #[arg(long, global = true, value_name = "PORT")]
    pub health_port: Option<u16>,
    /// Read this configuration file instead of ./millrace.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How log lines look on standard error
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormatArg>,
}

/// What holds of all JSON that is printed, and stands wherever it is asked for.
const WHOLE_NUMBERS: &str = "Whole numbers have up to 64 bits, amounts and offsets too: JavaScript's JSON.parse rounds \
                             those beyond 2^53, docs/analysts.md says how to read them";

impl Cli {
    /// The command line with all its help, the domains' own subcommands included.
    #[must_use]
    pub fn whole(domains: &[Box<dyn DomainEntry>]) -> clap::Command {
        let tools = domains.iter().flat_map(|entry| entry.tools());
        with_whole_numbers(Self::command().subcommands(tools.map(|tool| tool.command())))
    }

    /// What this process was called with; ends it when that is wrong, or help.
    #[must_use]
    pub fn read(domains: &[Box<dyn DomainEntry>]) -> Self {
        let mut whole = Self::whole(domains);
        let given = whole.get_matches_mut();
        let read = match given.subcommand() {
            Some((name, own)) if tool::by_name(domains, name).is_some() => {
                let command = Command::Own { name: name.to_owned(), given: own.clone() };
                Global::from_arg_matches(&given).map(|global| Self { command, global })
            }
            _ => Self::from_arg_matches(&given),
        };
        read.unwrap_or_else(|error| error.format(&mut whole).exit())
    }
}

fn with_whole_numbers(mut command: clap::Command) -> clap::Command {
    if command.get_arguments().any(|argument| argument.get_id() == "json") {
        command = command.mut_arg("json", |argument| {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            argument.help(format!("{help}. {WHOLE_NUMBERS}"))
        });
    }
    command.mut_subcommands(with_whole_numbers)
}

/// At least so many seconds, and no more than a clock can count.
fn seconds(least: u64) -> RangedU64ValueParser {
    clap::value_parser!(u64).range(least..=LONGEST_SECONDS)
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything in one process: broker, registry, tables and every role
    ///
    /// Prints one line `ready kafka=HOST:PORT registry=URL tables=DIR http=URL` on standard output
    /// once commands are accepted, and ends cleanly on SIGTERM or SIGINT. A partition that stands still
    /// is named there (`without=ROLE[PARTITION]`) and not waited for. Broker, registry and SQLite
    /// tables are its own: it takes no --kafka, --registry, --cql, --sqlite, --keyspace and
    /// --set-kafka. On a cluster, run `millrace processor` and `millrace projector`.
    #[command(after_help = "Example:\n  millrace up --data ./millrace-data --kafka-port 9092")]
    Up(Up),
    /// Start everything and load a small social network to look at
    #[command(after_help = "Example:\n  millrace demo --data ./millrace-data")]
    Demo(Demo),
    /// Decide commands, until stopped
    #[command(
        after_help = "Examples:\n  millrace processor --state-dir ./state\n  millrace processor chirp --health-port 9600"
    )]
    Processor {
        /// Only these domains
        #[arg(value_name = "DOMAIN")]
        domains: Vec<String>,
        /// Folder for local state, one for each process; a restart then reads only what is new
        #[arg(long, value_name = "DIR")]
        state_dir: Option<PathBuf>,
    },
    /// Fill the tables, until stopped
    #[command(
        after_help = "Examples:\n  millrace projector --state-dir ./state\n  millrace projector chirp.timelines"
    )]
    Projector {
        /// Only these domains, or these view families of them
        #[arg(value_name = "DOMAIN[.FAMILY]")]
        views: Vec<String>,
        /// Folder for what projections know, one for each process; a restart then reads only what is new
        #[arg(long, value_name = "DIR")]
        state_dir: Option<PathBuf>,
    },
    /// Answer commands and queries over HTTP, until stopped
    ///
    /// Commands go to the topics, and their outcomes come back; views and feeds are read from the tables. It keeps
    /// nothing: run as many as you like, and repeat a command at any of them. docs/http-api.md has an example of each call.
    #[command(
        after_help = "Examples:\n  millrace gateway --listen 127.0.0.1:8080\n  millrace gateway --openapi > openapi.json"
    )]
    Gateway {
        /// Address and port to listen on; loopback alone unless gateway.auth asks for names [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
        /// Print what it serves at /openapi.json (OpenAPI 3.1) and end
        #[arg(long, conflicts_with_all = ["listen", "asyncapi"])]
        openapi: bool,
        /// Print what it serves at /asyncapi.json (AsyncAPI 3.0) and end
        #[arg(long, conflicts_with = "listen")]
        asyncapi: bool,
    },
    /// Make a token for development, with which a user asks a gateway
    ///
    /// Prints the token alone. A gateway takes it that has the public key in gateway.jwt_keys, the issuer in
    /// gateway.jwt_issuers, and gateway.auth = "jwt". In production somebody else makes tokens, who knows the users;
    /// docs/operations.md says how a gateway gets to know them.
    #[command(after_help = "Examples:\n  millrace token --user ann --make-key --key dev.key\n  \
        MILLRACE_GATEWAY_AUTH=jwt MILLRACE_GATEWAY_JWT_ISSUERS=millrace-dev \\\n    \
        MILLRACE_GATEWAY_JWT_KEYS=dev.key.pub millrace gateway\n  \
        curl -H \"Authorization: Bearer $(millrace token --user ann --role operator --key dev.key)\" \\\n    \
        http://127.0.0.1:8080/v1/feeds/ann")]
    Token(Token),
    /// Make the key pair for which secrets of commands are sealed
    ///
    /// Writes the private key to FILE, for this user alone, and the public key to FILE.pub; overwrites neither. Prints
    /// the setting by which gateways and senders get to know the public key.
    #[command(after_help = "Examples:\n  millrace seal-key --key seal.key\n  \
        MILLRACE_SEAL_PUBLIC_KEY_FILE=seal.key.pub millrace gateway")]
    SealKey(SealKey),
    /// Open what was sealed: print the secret in a box, or in a command
    ///
    /// The box comes as an argument or on standard input, in base64. With --command it is looked for in the topic of
    /// commands, which keeps them for seven days. Prints each secret on a line of its own. Exits with 1 when the box is
    /// cut off or was sealed for another key.
    #[command(after_help = "Examples:\n  millrace unseal --key seal.key < box.txt\n  \
        millrace unseal --key seal.key --command 0198c1a2-7d1e-7a53-9a4e-2f1d6b1c9e70")]
    Unseal(Unseal),
    /// Make a key of pseudonyms, by which personal texts are named in keys
    ///
    /// Prints a line of the file that processor.pseudonym_keys_file names: whoever reads it can try out which texts have a
    /// pseudonym, so only its owner may read the file.
    #[command(after_help = "Example:\n  (umask 077; millrace pseudonym-key k1 > pseudonym-keys)")]
    PseudonymKey(NewPseudonymKey),
    /// Compare the topics with their declarations, or bring them there
    ///
    /// Never deletes a topic and never takes partitions away.
    #[command(after_help = "Examples:\n  millrace topics plan\n  millrace topics apply chirp")]
    Topics(Declared<TopicsAction>),
    /// Compare the schemas in the registry with this build's, or register them
    #[command(after_help = "Examples:\n  millrace schemas check\n  millrace schemas register")]
    Schemas(Declared<SchemasAction>),
    /// Compare the tables with their declarations, or make what is missing
    ///
    /// Never drops a table or a column.
    #[command(after_help = "Examples:\n  millrace tables plan\n  millrace tables apply --cql localhost:9042")]
    Tables(Declared<TablesAction>),
    /// Send a command
    ///
    /// Values follow the schema; lists and objects are JSON. Prints id, topic, partition and
    /// offset; with --wait the outcome, and exits with 1 when the command was rejected.
    #[command(after_help = "Examples:\n  millrace send RegisterUser user_id=ann username=Ann --wait\n  \
        millrace send PostChirp chirp_id=c1 author_id=ann content='Hello, world' --wait-for feed")]
    Send(Send),
    /// Send commands from a file, one JSON object a line
    ///
    /// A line is {"type": "PostChirp", "id"?: …, "metadata"?: {…}, "data": {…}}. An empty line is a
    /// barrier: what follows is sent when all before it is answered. A bad line is named with its
    /// number and column and stops nothing but itself.
    #[command(after_help = "Examples:\n  millrace load commands.jsonl --wait\n  \
        generate | millrace load - --wait-for feed --json")]
    Load(Load),
    /// Show rows of a view, one JSON object a line
    ///
    /// Conditions name the first key columns of the view, in their order: all of the partition key,
    /// then any number of clustering columns.
    #[command(after_help = "Examples:\n  millrace query user_profiles user_id=ann\n  \
        millrace query chirps_by_author author_id=ann --limit 10")]
    Query(Query),
    /// Show a view as it changes
    ///
    /// Conditions name the partition key of the view: `user_id=ann` of `chirp.feed`. First come its rows,
    /// then what becomes of them: + a row that came or changed, - one that is gone. It goes on where
    /// it was when the gateway was away.
    #[command(after_help = "Examples:\n  millrace watch shop_orders user_id=ann\n  \
        millrace watch feed user_id=ann --limit 50\n  \
        millrace watch account_balances account_id=a1 --json")]
    Watch(Watch),
    /// Check that states, outcomes and views are what the events say
    ///
    /// Reads every topic and every table of a domain and compares: versions without gaps, times that
    /// rise, states equal to the folded events, one outcome for every command, every row equal to
    /// the replay's. It may run beside a system that goes on. Exits with 1 when anything differs.
    #[command(after_help = "Examples:\n  millrace verify\n  millrace verify chirp --json")]
    Verify(Verify),
    /// Show an aggregate's events, and its state at any version or time
    ///
    /// Exits with 1 when the aggregate has no event.
    #[command(after_help = "Examples:\n  millrace history User/ann\n  \
        millrace history chirp:Chirp/ann/c1 --version 2\n  \
        millrace history Account/a1 --at 2026-01-02T03:04:05Z --json")]
    History(History),
    /// Show what became of a command, and why: its decision, events, steps and rows
    ///
    /// Looks for the command among the outcomes, then in its topic, newest first, and in the dead
    /// topic. Exits with 1 when none of them has it.
    #[command(after_help = "Examples:\n  millrace explain 0198c1a2-7d1e-7a53-9a4e-2f1d6b1c9e70\n  \
        millrace explain register-ann --since 2026-01-02T00:00:00Z --rows 100\n  \
        millrace explain register-ann --json")]
    Explain(Explain),
    /// Build the next version of a view's tables beside the live one, and switch to it
    ///
    /// Fills new tables from the first event, while the ones that are there go on and are read;
    /// compares the two, switches readers in one write, and keeps the old version up to date to go
    /// back to. Gives way to the live version while that is behind. Interrupted, it goes on where it
    /// was when it is started again; started several times, the processes share the work. Exits with
    /// 1 when rows differ and --switch is not given.
    #[command(after_help = "Examples:\n  millrace rebuild timelines\n  \
        millrace rebuild chirp.timelines --switch\n  millrace rebuild timelines --back\n  \
        millrace rebuild timelines --drop")]
    Rebuild(Rebuild),
    /// List, show, put back or drop what could not be decided
    ///
    /// A record that cannot be read, or whose decision fails every time, lies in the domain's dead
    /// topic with the reason. Once that is mended, `redrive` puts it back where it came from, in order
    /// and exactly once; `skip` drops it for good.
    #[command(after_help = "Examples:\n  millrace dead list\n  \
        millrace dead show chirp --partition 2 --offset 17\n  \
        millrace dead redrive chirp --key ann --dry-run\n  \
        millrace dead skip chirp --partition 2 --offset 17 --yes")]
    Dead(Dead),
    /// Show how the roles are and how far the tables have come
    #[command(
        long_about = "Show how the roles are and how far the tables have come.\n\nNot healthy, and exit code 1: a role \
                      whose oldest record has waited for more than 30 s, or for which records wait while nobody is a \
                      member of its group; a view that is more than 30 s behind, or whose table cannot be read; a \
                      transaction that has been open for more than 30 s; a process that says so, or does not answer, \
                      where it is known how to ask it (telemetry.processes, or `millrace up`). A role without members \
                      and without work is healthy: nothing is left undone.",
        after_help = "Examples:\n  millrace status\n  millrace status --json\n  \
                      millrace status --watch --processes host1:9600,host2:9600"
    )]
    Status {
        /// Print one JSON object
        #[arg(long, conflicts_with = "watch")]
        json: bool,
        /// Show it live, with what the processes measure, until interrupted
        #[arg(long)]
        watch: bool,
        /// With --watch, health endpoints of the processes, as host:port, several separated by
        /// commas [default: the setting telemetry.processes, or the one of `millrace up`]
        #[arg(long, value_name = "HOSTS", requires = "watch")]
        processes: Option<String>,
        /// With --watch, seconds between two looks at the processes
        #[arg(long, value_name = "SECONDS", requires = "watch", default_value_t = 2,
              value_parser = seconds(1))]
        every: u64,
    },
    /// Show what is in the way, what happens next, and what can be done
    ///
    /// What `status` finds, one by one. Exits with 1 when something stands still because of it.
    #[command(after_help = "Examples:\n  millrace faults\n  millrace faults --json")]
    Faults {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show the views, the versions of their tables, and how far each has come
    #[command(after_help = "Examples:\n  millrace views\n  millrace views shop --json")]
    Views {
        /// Only these domains
        #[arg(value_name = "DOMAIN")]
        domains: Vec<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Draw the system: contexts, roles, topics, tables and callers, as declared and as they run
    #[command(
        long_about = "Draw the system: bounded contexts, processors, policies, projectors, gateways, topics, tables and callers, and \
                      what goes from the one to the other.\n\nWhat is declared and what is seen are told apart: a consumer \
                      group that nobody has declared is drawn in the colour of a warning, a role that is declared and \
                      not there in grey. Topics, roles and readers have their rate and how far they are behind. Where no broker answers, \
                      it says so and draws what is declared, with the services of the compose file of this folder.\n\n\
                      The text is for people, the workspace in Structurizr DSL has a view of the contexts, one of the inside of \
                      each, and one of what runs where; Mermaid draws the contexts, or with DOMAIN what is inside that one.",
        after_help = "Examples:\n  millrace architecture\n  millrace architecture --watch\n  \
                      millrace architecture --format dsl --out workspace.dsl\n  \
                      millrace architecture chirp --format mermaid\n  \
                      millrace architecture --declared --compose docker-compose.yml --json"
    )]
    Architecture(Architecture),
    /// Write a domain to begin with, into the checkout of Millrace that this folder lies in
    ///
    /// It is a guest book with this name: it builds, passes its tests and answers its first command. The binary gets
    /// one line and one dependency. docs/add-a-domain.md says how it becomes another one.
    #[command(after_help = "Example:\n  millrace new-domain library")]
    NewDomain {
        /// Its name: a-z 0-9 _
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Show every metric that processes serve at /metrics: what it means, and what to do
    #[command(after_help = "Example:\n  millrace metrics")]
    Metrics,
    /// Show the configuration in force and where each value comes from
    #[command(after_help = "Examples:\n  millrace config\n  millrace config --explain")]
    Config {
        /// Describe every setting instead
        #[arg(long, conflicts_with = "json")]
        explain: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// A domain's own
    #[command(skip)]
    Own {
        /// What it is called by.
        name: String,
        /// What was given to it.
        given: clap::ArgMatches,
    },
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  millrace completions bash > ~/.local/share/bash-completion/completions/millrace"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it runs until it is stopped.
    #[must_use]
    pub fn is_role(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Demo(_) | Self::Processor { .. } | Self::Projector { .. })
            || matches!(self, Self::Gateway { openapi: false, asyncapi: false, .. })
    }

    /// Whether it starts broker, registry and tables of its own.
    #[must_use]
    pub fn brings_servers(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Demo(_))
    }

    /// Whether it asks no server for anything, and so depends on none that happens to run here.
    #[must_use]
    pub fn needs_no_servers(&self) -> bool {
        let is_alone = match self {
            Self::SealKey(_) | Self::PseudonymKey(_) => true,
            Self::Architecture(chosen) => chosen.declared,
            Self::Unseal(unseal) => unseal.command.is_none(),
            Self::Gateway { .. } => !self.is_role(),
            _ => false,
        };
        self.brings_servers() || is_alone
    }

    fn listen(&self) -> Option<String> {
        match self {
            Self::Gateway { listen, .. } => listen.clone(),
            _ => None,
        }
    }

    fn processes(&self) -> Option<String> {
        match self {
            Self::Status { processes, .. } => processes.clone(),
            _ => None,
        }
    }

    /// The setting that `--state-dir` is of, and its value.
    fn state_dir(&self) -> (&'static str, Option<&PathBuf>) {
        match self {
            Self::Projector { state_dir, .. } => ("projector.state_dir", state_dir.as_ref()),
            Self::Processor { state_dir, .. } => ("processor.state_dir", state_dir.as_ref()),
            _ => ("processor.state_dir", None),
        }
    }

    fn up(&self) -> Option<&Up> {
        match self {
            Self::Up(up) => Some(up),
            Self::Demo(demo) => Some(&demo.up),
            _ => None,
        }
    }
}

impl Cli {
    /// The configuration that the flags give, without the other layers.
    ///
    /// # Errors
    /// `--set-kafka` that is not `key=value`, or a secret.
    pub fn inputs(&self) -> Result<Inputs, CliError> {
        let global = &self.global;
        let path = |path: &PathBuf| path.display().to_string();
        let up = self.command.up().cloned().unwrap_or_default();
        let format = global.log_format.and_then(|format| format.to_possible_value());
        let state_dir = self.command.state_dir();
        let plain = [
            ("kafka", "--kafka", global.kafka.clone()),
            ("registry", "--registry", global.registry.clone()),
            ("cql", "--cql", global.cql.clone()),
            ("sqlite", "--sqlite", global.sqlite.as_ref().map(path)),
            ("topic_prefix", "--topic-prefix", global.topic_prefix.clone()),
            ("keyspace", "--keyspace", global.keyspace.clone()),
            ("health_port", "--health-port", global.health_port.map(|port| port.to_string())),
            ("log_format", "--log-format", format.map(|value| value.get_name().to_owned())),
            (state_dir.0, "--state-dir", state_dir.1.map(path)),
            ("telemetry.processes", "--processes", self.command.processes()),
            ("up.data", "--data", up.data.as_ref().map(path)),
            ("up.host", "--host", up.host),
            ("up.advertised", "--advertised", up.advertised),
            ("up.insecure", "--insecure", up.insecure.then(|| "true".to_owned())),
            ("up.kafka_port", "--kafka-port", up.kafka_port.map(|port| port.to_string())),
            ("up.http_port", "--http-port", up.http_port.map(|port| port.to_string())),
            ("gateway.listen", "--listen", self.command.listen()),
            ("up.registry_port", "--registry-port", up.registry_port.map(|port| port.to_string())),
        ];
        let mut flags: Vec<Given> =
            plain.into_iter().filter_map(|(key, flag, text)| Some(Given::new(key, text?, flag))).collect();
        for pair in &global.set_kafka {
            let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
                // of what is no name, no more is repeated
                let name = pair.split(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).next();
                let name = name.unwrap_or_default();
                return Err(CliError::usage(format!("--set-kafka {name}: expected KEY=VALUE")));
            };
            if millrace_kafka::properties::is_secret(key) {
                return Err(CliError::usage(format!(
                    "--set-kafka {key}: a secret on the command line is seen by every user of the machine"
                ))
                .hint(format!(
                    "Set it in millrace.toml under [kafka_client], or as {}.",
                    crate::config::layers::variable(&format!("kafka_client.{key}"))
                )));
            }
            flags.push(Given {
                path: vec!["kafka_client".to_owned(), key.to_owned()],
                text: value.to_owned(),
                origin: "--set-kafka".to_owned(),
            });
        }
        Ok(Inputs { file: global.config.clone(), flags, ..Inputs::default() })
    }
}
