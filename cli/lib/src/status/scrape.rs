//! What processes measure, asked from their health endpoints, and how it changes between two looks.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use ureq::Agent;

use super::samples::{Labels, Sample, parse};

/// A process that has not answered by then is shown as silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// A partition in whose way something is, as its process says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Trouble {
    /// The role.
    pub role: String,
    /// The partition.
    pub partition: i32,
    state: String,
    /// What, and since when.
    pub detail: String,
    /// For how long, in seconds.
    pub since_seconds: f64,
    /// What happens next, and what can be done.
    #[serde(default)]
    next: String,
}

impl Trouble {
    /// What happens next, and what can be done.
    #[must_use]
    pub fn next(&self) -> &str {
        &self.next
    }

    /// All of it on one line.
    #[must_use]
    pub fn line(&self) -> String {
        let place = if self.partition < 0 { String::new() } else { format!("[{}]", self.partition) };
        let next = if self.next.is_empty() { String::new() } else { format!(". Next: {}", self.next) };
        format!("{}{place}, for {:.0} s: {}{next}", self.role, self.since_seconds, self.detail)
    }
}

#[derive(Deserialize)]
struct Health {
    lanes: Vec<Trouble>,
}

/// What the lane of a gateway says before the URL at which it answers.
const ANSWERS_AT: &str = "answers at ";

/// A process as it answered.
pub struct Told {
    /// What it measures.
    pub samples: Vec<Sample>,
    /// What is in its way.
    pub troubles: Vec<Trouble>,
    /// The URL of its gateway, if it has one that answers.
    pub gateway: Option<String>,
}

/// All processes at one moment.
pub struct Look {
    at: Instant,
    processes: Vec<(String, Result<Told, String>)>,
}

impl Look {
    /// What each process said, by its address.
    pub fn told(self) -> Vec<(String, Result<Told, String>)> {
        self.processes
    }
}

/// Asks processes.
pub struct Asker {
    client: Agent,
    addresses: Vec<String>,
}

impl Asker {
    /// Asks the health endpoints at `addresses`, `host:port` separated by commas.
    #[must_use]
    pub fn new(addresses: &str) -> Self {
        let client = Agent::config_builder().timeout_global(Some(PATIENCE)).build().new_agent();
        let addresses = addresses.split(',').map(str::trim).filter(|address| !address.is_empty());
        Self { client, addresses: addresses.map(str::to_owned).collect() }
    }

    /// Asks all of them at once.
    pub fn look(&self) -> Look {
        let processes = thread::scope(|scope| {
            let ask = |address: &String| {
                let address = address.clone();
                (address.clone(), scope.spawn(move || self.ask(&address)))
            };
            let asked: Vec<_> = self.addresses.iter().map(ask).collect();
            let answer = |(address, thread): (String, thread::ScopedJoinHandle<'_, Result<Told, String>>)| {
                (address, thread.join().unwrap_or_else(|_| Err("a bug".to_owned())))
            };
            asked.into_iter().map(answer).collect()
        });
        Look { at: Instant::now(), processes }
    }

    fn ask(&self, address: &str) -> Result<Told, String> {
        let get = |path: &str| {
            // `/health` answers 503 when a lane is in trouble, and says which
            let request = self.client.get(format!("http://{address}{path}"));
            let answer = request.config().http_status_as_error(false).build().call();
            answer.and_then(|mut answer| answer.body_mut().read_to_string()).map_err(|error| why(&error))
        };
        let samples = parse(&get("/metrics")?);
        let health: Health = serde_json::from_str(&get("/health")?).map_err(|error| error.to_string())?;
        let is_trouble = |lane: &Trouble| matches!(lane.state.as_str(), "faulted" | "hanging");
        let url = |lane: &Trouble| Some(lane.detail.strip_prefix(ANSWERS_AT)?.to_owned());
        let gateway = health.lanes.iter().filter(|lane| lane.role == "gateway").find_map(url);
        Ok(Told { samples, troubles: health.lanes.into_iter().filter(is_trouble).collect(), gateway })
    }
}

/// What a person calls it.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        other => other.to_string(),
    }
}

/// A number and its change since the look before.
struct Series {
    name: String,
    labels: Labels,
    now: f64,
    /// `None` when the process was not asked before.
    change: Option<f64>,
}

/// Two looks compared.
pub struct Window {
    seconds: f64,
    series: Vec<Series>,
    /// Processes that answer.
    pub answering: usize,
    /// Those that do not, and why.
    pub silent: Vec<(String, String)>,
    /// What is in the way of any of them.
    pub troubles: Vec<Trouble>,
}

impl Window {
    /// What is `now`, and what has changed since `before`.
    pub fn between(before: Option<&Look>, now: &Look) -> Self {
        let mut window = Self {
            seconds: before.map_or(0.0, |before| now.at.duration_since(before.at).as_secs_f64()),
            series: Vec::new(),
            answering: 0,
            silent: Vec::new(),
            troubles: Vec::new(),
        };
        for (address, answer) in &now.processes {
            let process = match answer {
                Ok(process) => process,
                Err(why) => {
                    window.silent.push((address.clone(), why.clone()));
                    continue;
                }
            };
            window.answering += 1;
            window.troubles.extend(process.troubles.iter().cloned());
            let earlier =
                before.and_then(|before| before.processes.iter().find(|(known, _)| known == address));
            let earlier = earlier.and_then(|(_, answer)| answer.as_ref().ok());
            let known: Option<BTreeMap<(&str, &Labels), f64>> = earlier.map(|process| {
                process.samples.iter().map(|it| ((it.name.as_str(), &it.labels), it.value)).collect()
            });
            for sample in &process.samples {
                let change = known.as_ref().map(|known| {
                    let before = known.get(&(sample.name.as_str(), &sample.labels)).copied().unwrap_or(0.0);
                    // it counts from zero again when the process was restarted
                    if before > sample.value { sample.value } else { sample.value - before }
                });
                let (name, labels) = (sample.name.clone(), sample.labels.clone());
                window.series.push(Series { name, labels, now: sample.value, change });
            }
        }
        window
    }

    fn of<'a, 'b>(
        &'a self,
        name: &'b str,
        with: &'b [(&'b str, &'b str)],
    ) -> impl Iterator<Item = &'a Series> + use<'a, 'b> {
        let fits = |series: &&Series| with.iter().all(|(label, value)| series.label(label) == *value);
        self.series.iter().filter(move |series| series.name == name).filter(fits)
    }

    /// The values that a label has, in their order, numbers by size.
    pub fn values(&self, name: &str, with: &[(&str, &str)], label: &str) -> Vec<String> {
        let mut values: Vec<String> =
            self.of(name, with).map(|series| series.label(label).to_owned()).collect();
        values.sort_by_key(|value| (value.parse::<i64>().unwrap_or(0), value.clone()));
        values.dedup();
        values
    }

    /// The first value of a label whose series is not zero.
    pub fn first_that_is(&self, name: &str, with: &[(&str, &str)], label: &str) -> Option<String> {
        self.of(name, with).find(|series| series.now > 0.0).map(|series| series.label(label).to_owned())
    }

    /// The sum over all processes; `None` when none has it.
    pub fn sum(&self, name: &str, with: &[(&str, &str)]) -> Option<f64> {
        self.of(name, with).map(|series| series.now).reduce(|sum, value| sum + value)
    }

    /// The greatest of all.
    pub fn max(&self, name: &str, with: &[(&str, &str)]) -> Option<f64> {
        self.of(name, with).map(|series| series.now).reduce(f64::max)
    }

    /// The change in a second, of all processes together.
    pub fn rate(&self, name: &str, with: &[(&str, &str)]) -> Option<f64> {
        let sum = self.of(name, with).filter_map(|series| series.change).reduce(|sum, value| sum + value)?;
        (self.seconds > 0.0).then(|| sum / self.seconds)
    }

    /// The value that a share `q` of those since the last look does not exceed, as exact as the bounds
    /// of the histogram `name`; `None` when there were none.
    pub fn quantile(&self, name: &str, with: &[(&str, &str)], q: f64) -> Option<f64> {
        let buckets = format!("{name}_bucket");
        let mut counts: Vec<(f64, f64)> = Vec::new();
        for series in self.of(&buckets, with) {
            let (Some(bound), Some(change)) = (bound(series.label("le")), series.change) else { continue };
            match counts.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, count)) => *count += change,
                None => counts.push((bound, change)),
            }
        }
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all = counts.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let (mut below, mut from) = (0.0, 0.0);
        for (bound, count) in counts {
            if count >= q * all {
                // evenly spread within a bucket, for want of anything better
                let share = if count > below { (q * all - below) / (count - below) } else { 1.0 };
                return Some(if bound.is_finite() { from + (bound - from) * share } else { from });
            }
            (below, from) = (count, bound);
        }
        None
    }

    /// The mean of the values since the last look.
    pub fn mean(&self, name: &str, with: &[(&str, &str)]) -> Option<f64> {
        let change = |part: &str| self.rate(&format!("{name}_{part}"), with);
        change("count").filter(|count| *count > 0.0).and_then(|count| Some(change("sum")? / count))
    }

    /// Labels and value of every series.
    pub fn each(&self, name: &str) -> Vec<(&Labels, f64)> {
        self.of(name, &[]).map(|series| (&series.labels, series.now)).collect()
    }
}

impl Series {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

fn bound(text: &str) -> Option<f64> {
    if text == "+Inf" { Some(f64::INFINITY) } else { text.parse().ok() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A look at one process that answers with this, some seconds after `start`.
    pub fn look(start: Instant, seconds: u64, text: &str) -> Look {
        let process = Told { samples: parse(text), troubles: Vec::new(), gateway: None };
        Look { at: start + Duration::from_secs(seconds), processes: vec![("here:1".to_owned(), Ok(process))] }
    }

    #[test]
    fn labels_may_hold_anything() {
        let found = parse("# HELP x y\nx{a=\"1, \\\"2\\\" }\",b=\"c\\\\d\\ne\"} 4\ny 0.5\n\nnonsense\n");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].labels["a"].as_str(), found[0].labels["b"].as_str()), ("1, \"2\" }", "c\\d\ne"));
        assert_eq!((found[1].name.as_str(), found[1].value), ("y", 0.5));
    }

    #[test]
    fn rates_are_of_the_time_between_two_looks() {
        let start = Instant::now();
        let before = look(start, 0, "n{r=\"a\"} 10\n");
        let now = look(start, 2, "n{r=\"a\"} 30\nn{r=\"b\"} 4\n");
        let window = Window::between(Some(&before), &now);
        assert_eq!(window.rate("n", &[("r", "a")]), Some(10.0));
        assert_eq!(window.rate("n", &[("r", "b")]), Some(2.0), "one that is new began at zero");
        assert_eq!(window.sum("n", &[]), Some(34.0));
        assert_eq!(Window::between(None, &now).rate("n", &[]), None, "nothing is known of the time before");
        let restarted = look(start, 4, "n{r=\"a\"} 6\n");
        assert_eq!(Window::between(Some(&now), &restarted).rate("n", &[]), Some(3.0));
    }

    #[test]
    fn quantiles_are_of_what_came_since_the_last_look() {
        let start = Instant::now();
        let text = |low: u32, high: u32| {
            let all = low + high;
            format!(
                "t_bucket{{le=\"1\"}} {low}\nt_bucket{{le=\"2\"}} {all}\nt_bucket{{le=\"+Inf\"}} {all}\nt_sum {all}\nt_count {all}\n"
            )
        };
        let window =
            Window::between(Some(&look(start, 0, &text(1_000, 0))), &look(start, 1, &text(1_050, 50)));
        assert_eq!(window.quantile("t", &[], 0.5), Some(1.0));
        assert_eq!(window.quantile("t", &[], 0.75), Some(1.5));
        assert_eq!(window.mean("t", &[]), Some(1.0));
        let still = Window::between(Some(&look(start, 0, &text(5, 5))), &look(start, 1, &text(5, 5)));
        assert_eq!((still.quantile("t", &[], 0.5), still.mean("t", &[])), (None, None));
    }
}
