//! What the registry knows and decides: subjects, versions, ids, levels. No HTTP here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::by::By;
use super::compat::Level;
use super::history::{Earlier, History};
use super::journal::Journal;
use super::references::Reference;
use super::refusal::Refusal;
use super::schema::AvroSchema;

/// A change to the registry: what its file consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A schema became a version of a subject.
    Registered {
        /// The subject.
        subject: String,
        /// Its new version.
        version: u32,
        /// The schema's id.
        id: u32,
        /// The schema as it was sent.
        schema: String,
        /// What it refers to.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        references: Vec<Reference>,
    },
    /// Versions were hidden (soft delete).
    Hidden {
        /// The subject.
        subject: String,
        /// The versions.
        versions: Vec<u32>,
    },
    /// Hidden versions were removed for good.
    Removed {
        /// The subject.
        subject: String,
        /// The versions.
        versions: Vec<u32>,
    },
    /// A compatibility level was set, or with none taken back.
    LevelSet {
        /// The subject, or none for all that have no own level.
        subject: Option<String>,
        /// The level.
        level: Option<Level>,
    },
    /// A mode was set, or with none taken back.
    ModeSet {
        /// The subject, or none for all that have no own mode.
        subject: Option<String>,
        /// The mode.
        mode: Option<Mode>,
    },
}

/// Whether schemas may be registered and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// They may.
    #[default]
    ReadWrite,
    /// They may not.
    ReadOnly,
}

/// Which versions a request wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Those that are not deleted.
    Live,
    /// Also the soft-deleted.
    All,
    /// The soft-deleted only.
    Hidden,
}

/// One version of a subject.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its number, from 1.
    pub version: u32,
    /// The id of its schema.
    pub id: u32,
    hidden: bool,
}

/// A schema with where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The subject.
    pub subject: String,
    /// The version in it.
    pub version: u32,
    /// The schema's id.
    pub id: u32,
    /// The schema's text.
    pub schema: String,
    /// What it refers to.
    pub references: Vec<Reference>,
}

/// `latest` or a number.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// The newest that is not deleted.
    Latest,
    /// This one.
    Number(u32),
}

struct Stored {
    text: String,
    references: Vec<Reference>,
    /// Or why it cannot be read: what was registered once stays, also when this build would refuse it.
    parsed: Result<Arc<AvroSchema>, String>,
}

/// The whole registry, in memory, with the file it is rebuilt from if it has one.
#[derive(Default)]
pub struct Core {
    journal: Option<Journal>,
    closed: bool,
    schemas: BTreeMap<u32, Stored>,
    ids: HashMap<String, u32>,
    subjects: BTreeMap<String, Vec<Version>>,
    level: Option<Level>,
    levels: BTreeMap<String, Level>,
    mode: Option<Mode>,
    modes: BTreeMap<String, Mode>,
}

impl Core {
    /// A registry with what `changes` made, that writes further ones to `journal`.
    pub fn restore(journal: Journal, changes: Vec<Change>) -> Self {
        Self { journal: Some(journal), ..Self::of(changes) }
    }

    /// A registry with what `changes` made, that writes nothing.
    pub(super) fn of(changes: Vec<Change>) -> Self {
        let mut core = Self::default();
        for change in changes {
            core.apply(change, None);
        }
        core
    }

    /// Lets go of the file; a request that is still under way can change nothing any more.
    pub fn close(&mut self) {
        self.closed = true;
        self.journal = None;
    }

    /// The names of subjects with at least one version to show.
    pub fn subjects(&self, prefix: &str, show: Show) -> Vec<String> {
        let wanted = |versions: &[Version]| match show {
            // A subject counts as deleted when all of it is.
            Show::Hidden => versions.iter().all(|version| version.hidden),
            _ => versions.iter().any(|version| shown(version, show)),
        };
        let subjects = self.subjects.iter();
        subjects
            .filter(|(name, versions)| name.starts_with(prefix) && wanted(versions))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The versions of a subject.
    pub fn versions(&self, subject: &str, show: Show) -> Result<Vec<u32>, Refusal> {
        let all = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let numbers: Vec<u32> = all.iter().filter(|v| shown(v, show)).map(|v| v.version).collect();
        if numbers.is_empty() { Err(Refusal::subject_not_found(subject)) } else { Ok(numbers) }
    }

    /// One version of a subject.
    pub fn version(&self, subject: &str, wanted: Wanted, show: Show) -> Result<Found, Refusal> {
        self.versions(subject, show)?;
        let versions = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let mut candidates = versions.iter().filter(|version| shown(version, show));
        let version = match wanted {
            Wanted::Latest => candidates.next_back(),
            Wanted::Number(number) => candidates.find(|version| version.version == number),
        };
        version.map(|version| self.found(subject, version)).ok_or_else(|| Refusal::version_not_found(wanted))
    }

    /// The version of a subject that is this schema.
    pub fn lookup(&self, subject: &str, schema: &AvroSchema, show: Show) -> Result<Found, Refusal> {
        self.versions(subject, show)?;
        let version = self.version_that_is(subject, schema, show).ok_or_else(Refusal::schema_not_found)?;
        Ok(self.found(subject, version))
    }

    /// The text of a schema and what it refers to; it is found as long as any version of any subject, also a hidden one, has it.
    pub fn schema(&self, id: u32) -> Result<(&str, &[Reference]), Refusal> {
        if self.uses(id, Show::All).is_empty() {
            return Err(Refusal::schema_not_found());
        }
        let stored = self.schemas.get(&id).ok_or_else(Refusal::schema_not_found)?;
        Ok((&stored.text, &stored.references))
    }

    /// A schema, or why it cannot be read.
    pub(super) fn parsed(&self, id: u32) -> Result<Arc<AvroSchema>, String> {
        self.schemas
            .get(&id)
            .map_or_else(|| Err("it is not there".to_owned()), |stored| stored.parsed.clone())
    }

    /// What a schema refers to.
    pub(super) fn references(&self, id: u32) -> &[Reference] {
        self.schemas.get(&id).map_or(&[], |stored| &stored.references)
    }

    /// The ids of all versions of all subjects.
    pub(super) fn ids_in_use(&self, show: Show) -> Vec<u32> {
        let versions = self.subjects.values().flatten().filter(|version| shown(version, show));
        versions.map(|version| version.id).collect()
    }

    /// Which versions of which subjects a schema is.
    pub fn uses(&self, id: u32, show: Show) -> Vec<(String, u32)> {
        let pairs = self.subjects.iter().flat_map(|(subject, all)| all.iter().map(move |v| (subject, v)));
        pairs
            .filter(|(_, version)| version.id == id && shown(version, show))
            .map(|(subject, version)| (subject.clone(), version.version))
            .collect()
    }

    /// The id and version of a schema that is a live version of a subject already.
    pub fn known(&self, subject: &str, schema: &AvroSchema) -> Option<(u32, u32)> {
        self.version_that_is(subject, schema, Show::Live).map(|known| (known.id, known.version))
    }

    /// The newest version of a subject that is this schema, else the newest of which it is the text with everything written
    /// out.
    fn version_that_is(&self, subject: &str, schema: &AvroSchema, show: Show) -> Option<&Version> {
        let versions = || self.subjects.get(subject).into_iter().flatten().rev().filter(|it| shown(it, show));
        let id = self.ids.get(schema.canonical());
        let is_written_out = |version: &&Version| match self.schemas.get(&version.id).map(|it| &it.parsed) {
            Some(Ok(known)) => schema.is_written_out(known),
            _ => false,
        };
        versions().find(|version| Some(&version.id) == id).or_else(|| versions().find(is_written_out))
    }

    /// What a new version of a subject must go with: by its level the latest live version or all of them.
    pub fn history(&self, subject: &str) -> History {
        let level = self.effective_level(subject);
        let live = self.subjects.get(subject).into_iter().flatten().rev().filter(|version| !version.hidden);
        let count = if level.is_transitive() { usize::MAX } else { 1 };
        let versions = live.take(count).filter_map(|version| self.earlier(version.id, version.version));
        History { level, versions: versions.collect() }
    }

    /// One version of a subject as a history; nothing can be incompatible with the latest of nothing.
    pub fn history_of(&self, subject: &str, wanted: Wanted) -> Result<History, Refusal> {
        let level = self.effective_level(subject);
        match self.version(subject, wanted, Show::Live) {
            Ok(found) => {
                Ok(History { level, versions: self.earlier(found.id, found.version).into_iter().collect() })
            }
            Err(_) if matches!(wanted, Wanted::Latest) => Ok(History { level, versions: Vec::new() }),
            Err(refusal) => Err(refusal),
        }
    }

    fn earlier(&self, id: u32, version: u32) -> Option<Earlier> {
        let stored = self.schemas.get(&id)?;
        Some(Earlier { version, id, schema: stored.parsed.clone() })
    }

    /// Makes a schema, which was found to go with `history`, a version of a subject, and gives its id and version.
    /// `None` when the history is another one by now.
    pub fn register(
        &mut self,
        subject: &str,
        text: &str,
        references: &[Reference],
        schema: &Arc<AvroSchema>,
        history: &History,
        by: By,
    ) -> Result<Option<(u32, u32)>, Refusal> {
        if let Some(known) = self.known(subject, schema) {
            return Ok(Some(known));
        }
        by.may_register(self, subject)?;
        if self.history(subject) != *history {
            return Ok(None);
        }
        for Reference { subject, version, .. } in references {
            // It was there a moment ago.
            let there = self.version(subject, Wanted::Number(*version), Show::Live);
            there.map_err(|_| Refusal::no_such_reference(subject, i64::from(*version)))?;
        }
        // Numbers of versions and ids are never given twice, also not after a delete: records carry the ids.
        let all = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let last_version = all.iter().map(|version| version.version).max().unwrap_or(0);
        let last_id = self.schemas.keys().next_back().copied().unwrap_or(0);
        let known = self.ids.get(schema.canonical()).copied();
        let (Some(version), Some(id)) = (last_version.checked_add(1), known.or(last_id.checked_add(1)))
        else {
            return Err(Refusal::store(&"no number is left for it"));
        };
        let (subject, text) = (subject.to_owned(), text.to_owned());
        let references = references.to_vec();
        let change = Change::Registered { subject, version, id, schema: text, references };
        self.commit_parsed(change, Some(Arc::clone(schema)))?;
        Ok(Some((id, version)))
    }

    /// Hides all of a subject and takes back its own level and mode, or removes it for good when it is hidden already; gives
    /// the versions.
    pub fn delete_subject(&mut self, subject: &str, permanent: bool) -> Result<Vec<u32>, Refusal> {
        let live = self.versions(subject, Show::Live);
        if permanent {
            let versions = self.versions(subject, Show::All)?;
            self.writable(subject)?;
            self.not_referred_to(subject, &versions, true)?;
            if live.is_ok() {
                return Err(Refusal::subject_not_hidden(subject));
            }
            self.commit(Change::Removed { subject: subject.to_owned(), versions: versions.clone() })?;
            return Ok(versions);
        }
        let versions = match live {
            Err(_) if self.subjects.contains_key(subject) => return Err(Refusal::subject_hidden(subject)),
            other => other?,
        };
        self.writable(subject)?;
        self.not_referred_to(subject, &versions, false)?;
        self.commit(Change::Hidden { subject: subject.to_owned(), versions: versions.clone() })?;
        if self.level(Some(subject)).is_some() {
            self.set_level(Some(subject), None)?;
        }
        if self.mode(Some(subject)).is_some() {
            self.set_mode(Some(subject), None)?;
        }
        Ok(versions)
    }

    /// Hides a version, or removes it for good when it is hidden already; gives its number.
    pub fn delete_version(&mut self, subject: &str, wanted: Wanted, permanent: bool) -> Result<u32, Refusal> {
        // The latest live version cannot be the one to remove: it is not hidden.
        let show = if permanent || matches!(wanted, Wanted::Number(_)) { Show::All } else { Show::Live };
        let version = self.version(subject, wanted, show)?.version;
        let hidden = self.version(subject, Wanted::Number(version), Show::Live).is_err();
        if hidden && !permanent {
            return Err(Refusal::version_hidden(subject, version));
        }
        self.writable(subject)?;
        self.not_referred_to(subject, &[version], permanent)?;
        let (subject, versions) = (subject.to_owned(), vec![version]);
        match (permanent, hidden) {
            (false, _) => self.commit(Change::Hidden { subject, versions })?,
            (true, true) => self.commit(Change::Removed { subject, versions })?,
            (true, false) => return Err(Refusal::version_not_hidden(&subject, version)),
        }
        Ok(version)
    }

    /// The level of a subject itself, or with `None` the one for all.
    pub fn level(&self, subject: Option<&str>) -> Option<Level> {
        match subject {
            Some(subject) => self.levels.get(subject).copied(),
            None => Some(self.level.unwrap_or(Level::Backward)),
        }
    }

    /// The level that holds for a subject.
    pub fn effective_level(&self, subject: &str) -> Level {
        self.level(Some(subject)).or(self.level).unwrap_or(Level::Backward)
    }

    /// Sets or takes back the level of a subject, or of all.
    pub fn set_level(&mut self, subject: Option<&str>, level: Option<Level>) -> Result<(), Refusal> {
        // those who set it at every start would make the journal longer for ever
        if subject.map_or(self.level, |subject| self.level(Some(subject))) == level {
            return Ok(());
        }
        self.commit(Change::LevelSet { subject: subject.map(str::to_owned), level })
    }

    /// The mode of a subject itself, or with `None` the one for all.
    pub fn mode(&self, subject: Option<&str>) -> Option<Mode> {
        match subject {
            Some(subject) => self.modes.get(subject).copied(),
            None => Some(self.mode.unwrap_or_default()),
        }
    }

    /// The mode that holds for a subject.
    pub fn effective_mode(&self, subject: &str) -> Mode {
        self.mode(Some(subject)).or(self.mode).unwrap_or_default()
    }

    /// Sets or takes back the mode of a subject, or of all.
    pub fn set_mode(&mut self, subject: Option<&str>, mode: Option<Mode>) -> Result<(), Refusal> {
        if subject.map_or(self.mode, |subject| self.modes.get(subject).copied()) == mode {
            return Ok(());
        }
        self.commit(Change::ModeSet { subject: subject.map(str::to_owned), mode })
    }

    /// Whether a subject may be changed.
    pub fn writable(&self, subject: &str) -> Result<(), Refusal> {
        match self.effective_mode(subject) {
            Mode::ReadWrite => Ok(()),
            Mode::ReadOnly => Err(Refusal::read_only(subject)),
        }
    }

    fn found(&self, subject: &str, version: &Version) -> Found {
        let schema = self.schemas.get(&version.id).map(|stored| stored.text.clone()).unwrap_or_default();
        let references = self.references(version.id).to_vec();
        Found { subject: subject.to_owned(), version: version.version, id: version.id, schema, references }
    }

    /// Writes a change down and only then makes it.
    fn commit(&mut self, change: Change) -> Result<(), Refusal> {
        self.commit_parsed(change, None)
    }

    /// The same with the schema of the change, which is not parsed again while others wait.
    fn commit_parsed(&mut self, change: Change, parsed: Option<Arc<AvroSchema>>) -> Result<(), Refusal> {
        if self.closed {
            return Err(Refusal::store(&"the registry is shutting down"));
        }
        if let Some(journal) = &mut self.journal {
            journal.append(&change).map_err(|error| Refusal::store(&error))?;
        }
        self.apply(change, parsed);
        Ok(())
    }

    fn apply(&mut self, change: Change, parsed: Option<Arc<AvroSchema>>) {
        match change {
            Change::Registered { subject, version, id, schema, references } => {
                let parsed = match parsed {
                    Some(parsed) => Ok(parsed),
                    None => self
                        .known_referred(&references)
                        .and_then(|referred| AvroSchema::parse_with(&schema, &referred))
                        .map(Arc::new),
                };
                if let Err(problem) = &parsed {
                    tracing::warn!(
                        subject,
                        version,
                        id,
                        problem,
                        "kept a schema that would be refused today"
                    );
                }
                let spelled = parsed.as_ref().map_or(schema.as_str(), |parsed| parsed.canonical());
                self.ids.entry(spelled.to_owned()).or_insert(id);
                self.schemas.entry(id).or_insert(Stored { text: schema, references, parsed });
                self.subjects.entry(subject).or_default().push(Version { version, id, hidden: false });
            }
            Change::Hidden { subject, versions } => {
                let hidden: BTreeSet<u32> = versions.into_iter().collect();
                for version in self.subjects.entry(subject).or_default() {
                    version.hidden |= hidden.contains(&version.version);
                }
            }
            Change::Removed { subject, versions } => {
                let left = self.subjects.entry(subject.clone()).or_default();
                left.retain(|version| !versions.contains(&version.version));
                if left.is_empty() {
                    self.subjects.remove(&subject);
                }
            }
            Change::LevelSet { subject: None, level } => self.level = level,
            Change::LevelSet { subject: Some(subject), level } => set(&mut self.levels, subject, level),
            Change::ModeSet { subject: None, mode } => self.mode = mode,
            Change::ModeSet { subject: Some(subject), mode } => set(&mut self.modes, subject, mode),
        }
    }
}

fn set<T>(map: &mut BTreeMap<String, T>, key: String, value: Option<T>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

fn shown(version: &Version, show: Show) -> bool {
    match show {
        Show::Live => !version.hidden,
        Show::All => true,
        Show::Hidden => version.hidden,
    }
}
