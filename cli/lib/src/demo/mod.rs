//! `millrace demo`: a small social network to look at, with what its people buy, plan and pay and what a team of them works on,
//! loaded like any other files of commands.

mod network;
mod shop;
mod team;
mod words;

use std::fs;
use std::path::Path;
use std::time::Duration;

use millrace_gateway::pages::PageFile;
use millrace_ports::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};

use self::network::{Network, Size};
use crate::args;
use crate::config::Config;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::load::{self, Options, Report};
use crate::output::Styled::{Bold, Plain};
use crate::{output, tool, up};

/// The file that says that the demo is loaded.
const LOADED: &str = "demo.toml";
/// The commands, to be looked at and to be loaded elsewhere.
const COMMANDS: &str = "demo.jsonl";
/// What the people do elsewhere: the commands of a domain.
type Lines = fn(domain: &str, seed: u64, people: &[String]) -> Vec<String>;
/// The other domains that have something to show, each with the view that shows it in the end. A domain comes behind those that it
/// looks up.
const OTHERS: [(&str, &str, Lines); 6] = [
    ("accounting", "account_balances", of_shop),
    ("orders", "shop_orders", of_shop),
    ("calendar", "calendar_timeslots", of_shop),
    ("identity", "users", team::lines),
    ("projects", "project_board", team::lines),
    ("estimation", "estimations_by_project", team::lines),
];
/// How many chirps of the feed are shown.
const SHOWN: &str = "6";
/// The subcommand that shows what the network is for.
const FEED: &str = "feed";

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Loaded {
    seed: u64,
    people: u32,
    reader: String,
    celebrities: Vec<String>,
    sent: u64,
    accepted: u64,
    rejected: u64,
    seconds: f64,
}

/// Runs `millrace demo`.
///
/// # Errors
/// As `millrace up`; or the network cannot be loaded.
pub fn run(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    pages: &'static [PageFile],
    demo: &args::Demo,
) -> Result<(), CliError> {
    up::run_with(config, domains, pages, |config, endpoints, data, stop| {
        let known = fs::read_to_string(data.join(LOADED)).ok().and_then(|text| toml::from_str(&text).ok());
        let loaded: Loaded = match known {
            Some(loaded) => loaded,
            None => load_network(config, domains, data, demo)?,
        };
        if stop.is_requested() {
            return Ok(());
        }
        show(config, endpoints, domains, data, &loaded, !pages.is_empty())
    })
}

fn load_network(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    data: &Path,
    demo: &args::Demo,
) -> Result<Loaded, CliError> {
    let network = Network::generate(demo.seed, Size { people: demo.people, commands: demo.commands });
    let file = data.join(COMMANDS);
    let failed = |error: std::io::Error| CliError::from(error).context(file.display());
    let lines = network.lines.join("\n") + "\n";
    millrace_disk::replace(&file, lines.as_bytes()).map_err(failed)?;
    crate::foreign::say(format!("Loading {} people who follow each other and chirp", demo.people));
    let options = Options { wait: true, wait_for: Some(FEED.to_owned()), timeout: Duration::from_secs(120) };
    let report = load_file(config, domains, &file, &options)?;
    for (domain, view, lines) in OTHERS {
        if !domains.iter().any(|it| it.name() == domain) {
            continue;
        }
        let file = data.join(format!("demo-{domain}.jsonl"));
        let lines = lines(domain, demo.seed, &network.people).join("\n") + "\n";
        millrace_disk::replace(&file, lines.as_bytes()).map_err(failed)?;
        load_file(config, domains, &file, &Options { wait_for: Some(view.to_owned()), ..options.clone() })?;
    }
    let loaded = Loaded {
        seed: demo.seed,
        people: demo.people,
        reader: network.reader,
        celebrities: network.celebrities,
        sent: report.sent,
        accepted: report.accepted.unwrap_or(0),
        rejected: report.rejected.unwrap_or(0),
        seconds: report.seconds,
    };
    let text = toml::to_string(&loaded).map_err(|error| CliError::failed(error.to_string()))?;
    millrace_disk::replace(&data.join(LOADED), text.as_bytes()).map_err(failed)?;
    Ok(loaded)
}

fn of_shop(domain: &str, seed: u64, people: &[String]) -> Vec<String> {
    shop::lines(domain, seed, people, SystemClock.now_micros())
}

/// Loads a file of the demo; nothing of it may be left unanswered.
fn load_file(
    config: &Config,
    domains: &[Box<dyn DomainEntry>],
    file: &Path,
    options: &Options,
) -> Result<Report, CliError> {
    let (report, fault) = load::from_file(&Servers::new(config), domains, file, options)?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    let missing = report.unanswered.unwrap_or(0) + report.bad;
    if missing > 0 {
        let message = format!("{missing} of the demo's commands were not answered; start it again to go on");
        return Err(CliError::failed(message));
    }
    Ok(report)
}

fn show(
    config: &Config,
    endpoints: &Endpoints,
    domains: &[Box<dyn DomainEntry>],
    data: &Path,
    loaded: &Loaded,
    has_pages: bool,
) -> Result<(), CliError> {
    let settings = &config.settings;
    let (domain, feed) = tool::by_name(domains, FEED).ok_or_else(|| {
        CliError::failed(format!("this build has no subcommand {FEED}, which the demo shows"))
    })?;
    let heading = format!("What {} reads, newest first", loaded.reader);
    output::styled(&[Plain("\n"), Bold(&heading), Plain("\n")])?;
    let given = feed.command().try_get_matches_from([FEED, &loaded.reader, "--limit", SHOWN]);
    let given = given.map_err(|error| CliError::failed(error.to_string()))?;
    feed.run(&Servers::new(config), domain, &given)?;
    let rate = loaded.sent as f64 / loaded.seconds.max(0.001);
    let sent = format!("{} commands", output::number(loaded.sent));
    let became = format!(
        "\n  {} accepted, {} rejected, all of them in the tables\n  after {:.1} s: {} commands a second",
        output::number(loaded.accepted),
        output::number(loaded.rejected),
        loaded.seconds,
        output::number(rate as u64),
    );
    output::styled(&[Plain("\n"), Bold(&sent), Plain(&became)])?;
    let reader = &loaded.reader;
    let program = std::env::args().next().unwrap_or_else(|| "millrace".to_owned());
    let celebrity = loaded.celebrities.first().map_or("ada", String::as_str);
    let http = endpoints.http.as_deref().filter(|_| has_pages).map(str::to_owned);
    let mut rows: Vec<Vec<String>> =
        http.into_iter().map(|http| vec!["Open in a browser".to_owned(), http]).collect();
    rows.extend([
        vec!["Send commands to".to_owned(), format!("{}, topic chirp.commands", endpoints.kafka)],
        vec!["Schemas are at".to_owned(), endpoints.registry.clone()],
        vec!["Tables lie in".to_owned(), format!("{}/chirp.sqlite", settings.sqlite)],
        vec!["What was sent".to_owned(), data.join(COMMANDS).display().to_string()],
    ]);
    output::line(format!("\n{}", output::columns(&rows, usize::MAX).trim_end()))?;
    let has_orders = domains.iter().any(|domain| domain.name() == "orders");
    let of_shop = if has_orders {
        format!("\n  {program} query shop_orders user_id={celebrity}")
    } else {
        String::new()
    };
    let of_team = if domains.iter().any(|domain| domain.name() == "estimation") {
        format!("\n  {program} query estimates estimation_id=sluice")
    } else {
        String::new()
    };
    let tries = format!(
        "\n  {program} send PostChirp chirp_id=hello author_id={celebrity} \\\n      content='Hi, all' --wait-for feed\n  \
         {program} feed {reader}\n  {program} query follower_counts followee_id={celebrity}{of_shop}{of_team}\n\nCtrl-C ends it."
    );
    output::styled(&[Plain("\n"), Bold("Try, from another terminal in this folder"), Plain(&tries)])
}
