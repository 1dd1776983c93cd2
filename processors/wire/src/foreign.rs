//! What is known of schema ids that are not this build's own: other versions of the topic's schema, and ids that mean
//! nothing here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use apache_avro::Schema;

use crate::bounds::Shape;
use crate::registry::{Registry, RegistryFault};
use crate::schema::{Compiled, record_name};
use crate::writer;

/// How long it is remembered that an id means nothing, so that garbage does not ask the registry once a record.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// Most ids of which that is remembered.
const MOST_UNKNOWN: usize = 10_000;
/// How many ids are asked for at the same time.
const ASKED_AT_ONCE: usize = 8;

/// What a schema id means, for ever: an id is never given to another schema.
pub(crate) enum Meaning {
    /// A version of this topic's schema.
    Version(Box<Version>),
    /// Something else, and what.
    Alien(String),
}

/// Another version of this topic's schema.
pub(crate) struct Version {
    /// The schema.
    pub schema: Schema,
    /// What its values may take.
    pub shape: Shape,
}

/// Why nothing can be said of an id.
pub(crate) enum Failure {
    /// It does not mean anything yet, and why not.
    NotYet(String),
    /// The registry does not answer.
    Registry(RegistryFault),
}

/// An id that means nothing yet.
struct Unknown {
    asked: Instant,
    why: String,
}

/// The schema ids met in one topic. No lock is held while the registry is asked.
pub(crate) struct Foreign {
    registry: Arc<dyn Registry>,
    subject: String,
    own: &'static Compiled,
    known: Mutex<HashMap<u32, Arc<Meaning>>>,
    unknown: Mutex<HashMap<u32, Unknown>>,
}

impl Foreign {
    pub(crate) fn new(registry: Arc<dyn Registry>, subject: &str, own: &'static Compiled) -> Self {
        Self {
            registry,
            subject: subject.to_owned(),
            own,
            known: Mutex::default(),
            unknown: Mutex::default(),
        }
    }

    /// What `id` means. The registry is asked, unless it was a while ago.
    pub(crate) fn meaning(&self, id: u32) -> Result<Arc<Meaning>, Failure> {
        if let Some(known) = lock(&self.known).get(&id) {
            return Ok(Arc::clone(known));
        }
        if let Some(unknown) = lock(&self.unknown).get(&id)
            && unknown.asked.elapsed() < UNKNOWN_FOR
        {
            return Err(Failure::NotYet(unknown.why.clone()));
        }
        self.ask(id)
    }

    /// What `id` means as far as that was asked before; the registry is not asked.
    pub(crate) fn remembered(&self, id: u32) -> Result<Arc<Meaning>, Failure> {
        if let Some(known) = lock(&self.known).get(&id) {
            return Ok(Arc::clone(known));
        }
        let why = lock(&self.unknown).get(&id).map(|unknown| unknown.why.clone());
        Err(Failure::NotYet(why.unwrap_or_else(|| format!("schema id {id} was not asked for yet"))))
    }

    /// Whether it is known for ever what `id` means.
    pub(crate) fn is_known(&self, id: u32) -> bool {
        lock(&self.known).contains_key(&id)
    }

    /// Asks the registry for all of `ids` again, several at the same time.
    pub(crate) fn ask_again(&self, ids: &[u32]) -> Result<(), RegistryFault> {
        for some in ids.chunks(ASKED_AT_ONCE) {
            if let [one] = some {
                match self.ask(*one) {
                    Err(Failure::Registry(fault)) => return Err(fault),
                    _ => continue,
                }
            }
            let faults: Vec<RegistryFault> = std::thread::scope(|scope| {
                let asked: Vec<_> = some.iter().map(|id| scope.spawn(|| self.ask(*id))).collect();
                let answers = asked.into_iter().filter_map(|asked| asked.join().ok());
                let faults = answers.filter_map(|answer| match answer {
                    Err(Failure::Registry(fault)) => Some(fault),
                    _ => None,
                });
                faults.collect()
            });
            faults.into_iter().next().map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    fn ask(&self, id: u32) -> Result<Arc<Meaning>, Failure> {
        let meant = self.look_up(id).map_err(Failure::Registry)?;
        let mut unknown = lock(&self.unknown);
        match meant {
            Ok(meaning) => {
                unknown.remove(&id);
                drop(unknown);
                let meaning = Arc::new(meaning);
                lock(&self.known).insert(id, Arc::clone(&meaning));
                Ok(meaning)
            }
            Err(why) => {
                if unknown.len() >= MOST_UNKNOWN {
                    unknown.clear();
                }
                unknown.insert(id, Unknown { asked: Instant::now(), why: why.clone() });
                Err(Failure::NotYet(why))
            }
        }
    }

    /// What the registry says that `id` means; else why it means nothing yet.
    fn look_up(&self, id: u32) -> Result<Result<Meaning, String>, RegistryFault> {
        let Some(text) = self.registry.schema(id)? else {
            return Ok(Err(format!("schema id {id} is unknown to the registry")));
        };
        let version = match self.version(&text) {
            Ok(version) => version,
            Err(why) => return Ok(Ok(Meaning::Alien(format!("schema {id} {why}")))),
        };
        // A schema that reads like this topic's is not one of its versions before the registry has accepted it as one,
        // and then it fits those before it. It may still become one.
        match self.registry.subjects(id)? {
            Some(subjects) if !subjects.contains(&self.subject) => {
                let shown = subjects.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
                let shown = if shown.is_empty() { "no subject" } else { &shown };
                Ok(Err(format!("schema {id} is registered under {shown}, not under {}", self.subject)))
            }
            _ => Ok(Ok(Meaning::Version(Box::new(version)))),
        }
    }

    /// The schema in `text` if its name is this topic's, or what it is instead.
    fn version(&self, text: &str) -> Result<Version, String> {
        let schema = writer::parse(text)?;
        match record_name(&schema) {
            Some(name) if self.own.name.is(name) => {}
            other => {
                let other = other.map_or("not a record".to_owned(), |name| name.fullname(None));
                return Err(format!("is {other}, but this topic holds {}", self.own.name.full));
            }
        }
        let shape = Shape::of(&schema).map_err(|why| format!("cannot be used: {why}"))?;
        Ok(Version { schema, shape })
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
