//! What a process says at `/metrics`, as Prometheus reads it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use millrace_services::{wait_for, wait_until};

/// The answer to a GET, without its head; panics when there is none.
pub fn http_get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer}"));
    assert!(head.contains(" 200 ") || head.contains(" 503 "), "{path}: {head}\n{body}");
    body.to_owned()
}

/// The metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    address: String,
}

impl Metrics {
    /// Those at `address`, `host:port`.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    /// All lines that are no comments, as they are now.
    pub fn lines(&self) -> Vec<String> {
        let text = http_get(&self.address, "/metrics");
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// The names of all series there are now.
    pub fn names(&self) -> Vec<String> {
        let name = |line: &String| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
        self.lines().iter().map(name).collect()
    }

    /// The sum of the values of `name` with all of `labels`, written `label="value"`; `None` when there are none.
    pub fn sum(&self, name: &str, labels: &[&str]) -> Option<f64> {
        self.values(name, labels).into_iter().reduce(|sum, value| sum + value)
    }

    /// The greatest of those values; `None` when there are none.
    pub fn greatest(&self, name: &str, labels: &[&str]) -> Option<f64> {
        self.values(name, labels).into_iter().reduce(f64::max)
    }

    fn values(&self, name: &str, labels: &[&str]) -> Vec<f64> {
        let is_it = |line: &&String| {
            line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| line.contains(label))
        };
        let value = |line: &String| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        self.lines().iter().filter(is_it).filter_map(value).collect()
    }

    /// Waits until a sum is as it should be, and gives it.
    pub fn until(&self, name: &str, labels: &[&str], deadline: Duration, fits: impl Fn(f64) -> bool) -> f64 {
        let what = format!("{name} with {labels:?} to be as expected");
        let found = wait_for(deadline, &what, || self.sum(name, labels).filter(|value| fits(*value)));
        found.unwrap_or_else(|overdue| panic!("{overdue}\n{}", self.lines().join("\n")))
    }

    /// Waits until all of `names` are there.
    pub fn until_all(&self, names: &[String], deadline: Duration) {
        let missing = || {
            let there = self.names();
            names.iter().filter(|name| !there.contains(name)).cloned().collect::<Vec<_>>()
        };
        let done = wait_until(deadline, "all metrics to be there", || missing().is_empty());
        done.unwrap_or_else(|overdue| panic!("{overdue}: missing are {:?}", missing()));
    }
}
