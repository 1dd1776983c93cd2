//! Rows as they change.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use ureq::BodyReader;

use super::{FIRST_PAUSE, HttpClient, LONGEST_PAUSE, Problem};
use crate::View;
use crate::json::JsonSource;

/// The rows of a key of a view, whenever they have changed. It goes on where it was over as many connections as it takes, until it is
/// dropped; after an error it has ended.
pub struct Subscription<'c, V> {
    client: &'c HttpClient,
    path: String,
    connection: Option<BufReader<BodyReader<'static>>>,
    /// Where it goes on.
    token: String,
    pause: Duration,
    rows: HashMap<Vec<String>, (Vec<Value>, V)>,
    /// The next part of a snapshot is the first.
    begins: bool,
    is_live: bool,
    has_ended: bool,
}

/// An event of a stream.
#[derive(Default)]
struct Told {
    event: String,
    data: String,
    id: Option<String>,
}

impl<'c, V: View + Clone> Subscription<'c, V> {
    pub(super) fn new(client: &'c HttpClient, path: String) -> Self {
        Self {
            client,
            path,
            connection: None,
            token: String::new(),
            pause: FIRST_PAUSE,
            rows: HashMap::new(),
            begins: true,
            is_live: false,
            has_ended: false,
        }
    }

    fn connect(&mut self) -> Result<(), Problem> {
        let mut headers = vec![("Accept", "text/event-stream")];
        if !self.token.is_empty() {
            headers.push(("Last-Event-ID", &self.token));
        }
        let answer = self.client.get(&self.path, &headers)?;
        self.connection = Some(BufReader::new(answer.into_body().into_reader()));
        (self.begins, self.is_live) = (true, false);
        Ok(())
    }

    /// The next event of the connection; `None` when it has ended.
    fn hear(&mut self) -> Option<Told> {
        let connection = self.connection.as_mut()?;
        let (mut told, mut line, mut is_empty) = (Told::default(), String::new(), true);
        loop {
            line.clear();
            if !matches!(connection.read_line(&mut line), Ok(1..)) {
                return None;
            }
            let text = line.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                match is_empty {
                    // a sign of life
                    true => continue,
                    false => return Some(told),
                }
            }
            let (name, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "event" => told.event = value,
                "data" => told.data = value,
                "id" => told.id = Some(value),
                _ => continue,
            }
            is_empty = false;
        }
    }

    /// Takes an event in: whether there is something to tell.
    fn take(&mut self, told: Told) -> Result<bool, Problem> {
        let data: Value = serde_json::from_str(&told.data).unwrap_or_default();
        match told.event.as_str() {
            "snapshot" => {
                if std::mem::replace(&mut self.begins, data["more"] != true) {
                    self.rows.clear();
                }
                for row in data["rows"].as_array().into_iter().flatten() {
                    self.put(row)?;
                }
            }
            "change" if data["row"].is_null() => drop(self.rows.remove(&name::<V>(&data["key"]))),
            "change" => self.put(&data["row"])?,
            "reset" => {
                (self.begins, self.is_live) = (true, false);
                self.token.clear();
            }
            "live" => self.is_live = true,
            "error" => {
                let status = data["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                return Err(Problem::of(status.unwrap_or(500), data));
            }
            _ => {}
        }
        if let Some(id) = told.id {
            (self.token, self.pause) = (id, FIRST_PAUSE);
        }
        Ok(self.is_live && matches!(told.event.as_str(), "live" | "change"))
    }

    fn put(&mut self, row: &Value) -> Result<(), Problem> {
        let read = V::read(&mut JsonSource(row));
        let read = read.map_err(|bad| Problem::unreadable(&self.client.base, &bad))?;
        let order = columns::<V>().map(|(column, _)| row[column].clone()).collect();
        self.rows.insert(name::<V>(row), (order, read));
        Ok(())
    }

    fn sorted(&self) -> Vec<V> {
        let mut all: Vec<_> = self.rows.values().collect();
        all.sort_by(|(one, _), (other, _)| {
            let each = columns::<V>().zip(one.iter().zip(other));
            let mut each = each.map(
                |((_, sign), (one, other))| if sign { compare(one, other) } else { compare(other, one) },
            );
            each.find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
        });
        all.into_iter().map(|(_, row)| row.clone()).collect()
    }
}

impl<V: View + Clone> Iterator for Subscription<'_, V> {
    type Item = Result<Vec<V>, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.has_ended {
            let found = match self.connection {
                None => self.connect().map(|()| false),
                Some(_) => match self.hear() {
                    Some(told) => self.take(told),
                    None => Err(Problem::unreached(&self.client.base, &"the stream has ended")),
                },
            };
            match found {
                Ok(true) => return Some(Ok(self.sorted())),
                Ok(false) => {}
                Err(problem) if problem.is_passing() => {
                    self.connection = None;
                    sleep(self.pause);
                    self.pause = LONGEST_PAUSE.min(self.pause * 2);
                }
                Err(problem) => {
                    self.has_ended = true;
                    return Some(Err(problem));
                }
            }
        }
        None
    }
}

/// The columns that order rows, and whether upwards.
fn columns<V: View>() -> impl Iterator<Item = (&'static str, bool)> {
    V::CLUSTERING.iter().map(|signed| match signed.strip_prefix('-') {
        Some(column) => (column, false),
        None => (*signed, true),
    })
}

/// By what rows are told apart.
fn name<V: View>(row: &Value) -> Vec<String> {
    let all = V::PARTITION.iter().copied().chain(columns::<V>().map(|(column, _)| column));
    all.map(|column| row[column].as_str().map_or_else(|| row[column].to_string(), str::to_owned)).collect()
}

/// Numbers by value, texts by their letters.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one.as_str().cmp(&other.as_str()),
    }
}
