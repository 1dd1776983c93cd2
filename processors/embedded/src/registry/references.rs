//! Schemas that refer to others by subject and version, as Confluent's registry has them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::core::{Core, Show, Wanted};
use super::refusal::Refusal;
use super::schema::AvroSchema;

/// A schema of another subject whose types a schema uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What it is called there; for Avro the full name of a type.
    pub name: String,
    /// Its subject.
    pub subject: String,
    /// Its version.
    pub version: u32,
}

/// A reference as it is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    name: Option<String>,
    subject: Option<String>,
    /// -1 is the latest.
    version: Option<i64>,
}

/// A reference and what it leads to.
#[derive(Clone, Debug)]
pub struct Referred {
    /// The reference.
    pub reference: Reference,
    /// The schema.
    pub schema: Arc<AvroSchema>,
}

/// A schema as a client sends it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// What it refers to.
    pub references: Vec<Asked>,
    /// Whether it is stored in the one spelling of its meaning.
    pub normalize: bool,
}

impl Core {
    /// Finds what a draft refers to among the versions that are not deleted.
    pub fn referred(&self, asked: &[Asked]) -> Result<Vec<Referred>, Refusal> {
        let found = asked.iter().map(|asked| {
            let (Some(name), Some(subject), Some(version)) = (&asked.name, &asked.subject, asked.version)
            else {
                return Err(Refusal::invalid_schema(
                    &"a reference lacks its name, its subject or its version",
                ));
            };
            let missing = |_| Refusal::no_such_reference(subject, version);
            let wanted = match u32::try_from(version) {
                Ok(version) => Wanted::Number(version),
                Err(_) if version == -1 => Wanted::Latest,
                Err(error) => return Err(missing(Refusal::bad_request(&error))),
            };
            let found = self.version(subject, wanted, Show::Live).map_err(missing)?;
            let reference =
                Reference { name: name.clone(), subject: subject.clone(), version: found.version };
            self.schema_of(&reference).map_err(|why| Refusal::invalid_schema(&why))
        });
        found.collect()
    }

    /// What references of a schema that is registered lead to, deleted versions included.
    pub(super) fn known_referred(&self, references: &[Reference]) -> Result<Vec<Referred>, String> {
        references.iter().map(|reference| self.schema_of(reference)).collect()
    }

    fn schema_of(&self, reference: &Reference) -> Result<Referred, String> {
        let Reference { subject, version, .. } = reference;
        let found = self.version(subject, Wanted::Number(*version), Show::All);
        let found =
            found.map_err(|_| format!("version {version} of {subject}, which it refers to, is gone"))?;
        let schema = self.parsed(found.id);
        let schema = schema.map_err(|why| {
            format!("version {version} of {subject}, which it refers to, cannot be read: {why}")
        })?;
        Ok(Referred { reference: reference.clone(), schema })
    }

    /// The ids of schemas that refer to a version.
    pub fn referrers(&self, subject: &str, version: u32, show: Show) -> Vec<u32> {
        let refers =
            |id: &u32| self.references(*id).iter().any(|it| it.subject == subject && it.version == version);
        let mut ids: Vec<u32> = self.ids_in_use(show).into_iter().filter(refers).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Refuses to delete versions that others refer to: for good also if those are deleted themselves, as records that were
    /// written with them can still be read.
    pub(super) fn not_referred_to(
        &self,
        subject: &str,
        versions: &[u32],
        permanent: bool,
    ) -> Result<(), Refusal> {
        let show = if permanent { Show::All } else { Show::Live };
        let referred = versions.iter().find(|version| !self.referrers(subject, **version, show).is_empty());
        referred.map_or(Ok(()), |version| Err(Refusal::referred_to(subject, *version)))
    }
}
