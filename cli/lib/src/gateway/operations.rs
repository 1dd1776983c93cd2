//! What the gateway tells operators about the whole: what the commands of the terminal find, without what is withheld.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_audit::history::{Until, Window};
use millrace_gateway::ports::{Operations, Question, Untold};
use millrace_runtime::dead::Place;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::architecture::draw;
use crate::architecture::live::LivePicture;
use crate::config::Config;
use crate::config::secrets::without_passwords;
use crate::connect::Servers;
use crate::dead::pages::{self, Wanted};
use crate::domain::{DomainEntry, by_name};
use crate::error::{CliError, Why};
use crate::examine::withheld::Withheld;
use crate::examine::{Tools, explain, history, time};
use crate::status::faults::faults;
use crate::status::{self, Report, views};

/// Whoever asks again within this time is told the same.
const FRESH: Duration = Duration::from_millis(1_500);

/// Looks when it is asked, and remembers the look before.
pub struct Looks {
    config: Config,
    domains: Vec<Box<dyn DomainEntry>>,
    picture: Mutex<LivePicture>,
    report: Mutex<Option<(Instant, Arc<Report>)>>,
}

impl Looks {
    /// For these domains; nothing is asked of any server yet.
    ///
    /// # Errors
    /// Settings, tables or topics of a domain that are wrong.
    pub fn new(config: &Config, domains: &[Box<dyn DomainEntry>]) -> Result<Arc<Self>, CliError> {
        let picture = Mutex::new(LivePicture::of(draw(&Servers::new(config), domains)?));
        let domains = domains.iter().map(|entry| entry.apart()).collect();
        Ok(Arc::new(Self { config: config.clone(), domains, picture, report: Mutex::default() }))
    }

    fn servers(&self) -> Servers<'_> {
        Servers::new(&self.config)
    }

    fn picture(&self) -> Result<Json, CliError> {
        let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        json(&picture.look(&self.servers())?)
    }

    fn report(&self) -> Result<Arc<Report>, CliError> {
        let mut known = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, report)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(Arc::clone(report));
        }
        let report = Arc::new(status::gather(&self.servers(), &self.domains)?);
        *known = Some((Instant::now(), Arc::clone(&report)));
        Ok(report)
    }

    fn explained(
        &self,
        name: &str,
        since: Option<&str>,
        rows: usize,
        deadline: Instant,
    ) -> Result<Json, CliError> {
        let servers = self.servers();
        let (entries, asking) = explain::asking(&self.domains, name, since, rows)?;
        let tools = Tools::until(&servers, deadline)?;
        let found = explain::whole(&servers, &self.domains, &tools, (entries, &asking))?;
        let mut told = json(&found)?;
        self.withheld(found.domain)?.explanation(&mut told);
        for other in told["elsewhere"].as_array_mut().into_iter().flatten() {
            let of = other["domain"].as_str().unwrap_or_default().to_owned();
            self.withheld(&of)?.acts(&mut other["acts"]);
        }
        if told["elsewhere"].is_null() {
            told["elsewhere"] = json!([]);
        }
        Ok(told)
    }

    fn told(&self, name: &str, window: &Window, deadline: Instant) -> Result<Json, CliError> {
        let servers = self.servers();
        let tools = Tools::until(&servers, deadline)?;
        let found = history::find(&servers, &self.domains, &tools, name, window)?;
        Ok(history::told(&found, &self.withheld(found.domain)?))
    }

    fn withheld(&self, domain: &str) -> Result<Withheld, CliError> {
        Ok(Withheld::of(by_name(&self.domains, domain)?))
    }

    /// As the commands of the terminal take a name whose domain is known.
    fn of_domain(&self, domain: Option<&str>, name: &str) -> Result<String, CliError> {
        match domain {
            Some(domain) => Ok(format!("{}:{name}", by_name(&self.domains, domain)?.name())),
            None => Ok(name.to_owned()),
        }
    }

    fn tell(&self, question: &Question, deadline: Instant) -> Result<Json, CliError> {
        match question {
            Question::Architecture => self.picture(),
            Question::Status => json(&*self.report()?),
            Question::Faults => Ok(json!({"faults": faults(&*self.report()?)})),
            Question::Views => Ok(json!({"families": views::gather(&self.servers(), &self.domains, &[])?})),
            Question::Explain { command_id, domain, since, rows } => {
                let name = self.of_domain(domain.as_deref(), command_id)?;
                self.explained(&name, since.as_deref(), *rows, deadline)
            }
            Question::History { aggregate_id, domain, version, at, after, limit } => {
                let until = match (version, at) {
                    (Some(version), _) => Until::Version(*version),
                    (None, Some(at)) => Until::Time(time("at", at)?),
                    (None, None) => Until::Now,
                };
                let window = Window { until, after: *after, most: *limit, with_states: true };
                self.told(&self.of_domain(domain.as_deref(), aggregate_id)?, &window, deadline)
            }
            Question::Dead { domain, all, cursor, limit } => {
                let (domain, cursor) = (domain.as_deref(), cursor.as_deref());
                let wanted = Wanted { domain, all: *all, cursor, limit: *limit, deadline };
                pages::page(&self.servers(), &self.domains, &wanted)
            }
            Question::DeadRecord { domain, partition, offset } => {
                let place = Place { partition: *partition, offset: *offset };
                pages::record(&self.servers(), &self.domains, domain, place)
            }
        }
    }
}

impl Operations for Looks {
    fn answer(&self, question: &Question, deadline: Instant) -> Result<Json, Untold> {
        self.tell(question, deadline).map_err(|error| {
            let (why, text) = (error.why(), without_passwords(&error.text()).into_owned());
            match why {
                _ if error.is_usage() => Untold::Wrong(text),
                Why::Missing => Untold::Missing(text),
                Why::Kafka => Untold::LogAway(text),
                Why::Overdue => Untold::Overdue(text),
                Why::Other => Untold::Trouble(text),
            }
        })
    }
}

fn json(value: &impl Serialize) -> Result<Json, CliError> {
    Ok(serde_json::to_value(value)?)
}
