//! Whether a schema may follow those before it. Compared outside of the registry's lock: others are answered meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use super::by::By;
use super::compat::{Level, Steps};
use super::core::{Core, Found, Show, Wanted};
use super::references::{Draft, Reference};
use super::refusal::Refusal;
use super::schema::AvroSchema;

/// A version that a new one must go with.
#[derive(Debug)]
pub struct Earlier {
    /// Its number.
    pub version: u32,
    /// The id of its schema.
    pub id: u32,
    /// The schema, or why it cannot be read.
    pub schema: Result<Arc<AvroSchema>, String>,
}

/// What a new version must go with, and how.
#[derive(Debug)]
pub struct History {
    /// The level.
    pub level: Level,
    /// The versions, newest first.
    pub versions: Vec<Earlier>,
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        let versions = |history: &Self| -> Vec<(u32, u32)> {
            history.versions.iter().map(|earlier| (earlier.version, earlier.id)).collect()
        };
        self.level == other.level && versions(self) == versions(other)
    }
}

impl History {
    /// What keeps `schema` from following; nothing, if it may.
    fn problems(&self, schema: &AvroSchema) -> Result<Vec<String>, Refusal> {
        let mut steps = Steps::default();
        let mut all = Vec::new();
        for earlier in self.versions.iter().filter(|_| self.level != Level::None) {
            match &earlier.schema {
                Ok(old) => {
                    let problems = self.level.problems(schema, old, &mut steps);
                    let problems = problems.map_err(|error| Refusal::invalid_schema(&error))?;
                    all.extend(
                        problems.iter().map(|problem| format!("version {}: {problem}", earlier.version)),
                    );
                }
                Err(why) => all.push(format!("version {}: it cannot be read: {why}", earlier.version)),
            }
        }
        Ok(all)
    }
}

/// The schema of a draft, with what it refers to.
fn parse(core: &Mutex<Core>, draft: &Draft) -> Result<(AvroSchema, Vec<Reference>), Refusal> {
    let referred = look(core, |core| core.referred(&draft.references))?;
    let schema = AvroSchema::parse_with(&draft.text, &referred);
    let schema = schema.map_err(|problem| Refusal::invalid_schema(&problem))?;
    Ok((schema, referred.into_iter().map(|it| it.reference).collect()))
}

/// Looks into the registry.
fn look<T>(core: &Mutex<Core>, at: impl FnOnce(&mut Core) -> T) -> T {
    // A change is written down before it is made and makes no half steps, so a poisoned lock guards good data.
    at(&mut core.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The version of a subject that is this schema.
pub fn lookup(core: &Mutex<Core>, subject: &str, draft: &Draft, show: Show) -> Result<Found, Refusal> {
    look(core, |core| core.versions(subject, show).map(drop))?;
    let (schema, _) = parse(core, draft)?;
    look(core, |core| core.lookup(subject, &schema, show))
}

/// Registers a schema under a subject and gives its id and version; one that is there already is not added again.
pub fn register(core: &Mutex<Core>, subject: &str, draft: &Draft, by: By) -> Result<(u32, u32), Refusal> {
    let (schema, references) = parse(core, draft)?;
    let schema = Arc::new(schema);
    let text = if draft.normalize { schema.spelling() } else { &draft.text };
    loop {
        let history = look(core, |core| match core.known(subject, &schema) {
            Some(known) => Ok(Err(known)),
            None => by.may_register(core, subject).map(|()| Ok(core.history(subject))),
        });
        let history = match history? {
            Ok(history) => history,
            Err(known) => return Ok(known),
        };
        let problems = history.problems(&schema)?;
        if !problems.is_empty() {
            return Err(Refusal::incompatible(subject, history.level, &problems));
        }
        if let Some(registered) =
            look(core, |core| core.register(subject, text, &references, &schema, &history, by))?
        {
            return Ok(registered);
        }
        // Somebody else changed the subject meanwhile: its new history decides.
    }
}

/// What keeps a schema from following one version (`Some`) or the history of a subject (`None`).
pub fn check(
    core: &Mutex<Core>,
    subject: &str,
    draft: &Draft,
    against: Option<Wanted>,
) -> Result<Vec<String>, Refusal> {
    let (schema, _) = parse(core, draft)?;
    let history = look(core, |core| match against {
        None => Ok(core.history(subject)),
        Some(wanted) => core.history_of(subject, wanted),
    })?;
    history.problems(&schema)
}
