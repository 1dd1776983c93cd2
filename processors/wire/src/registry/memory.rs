//! A registry in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Latest, Registry, RegistryFault};

/// A registry in memory, for simulations. It accepts every schema.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    schemas: Mutex<Vec<Stored>>,
}

/// A schema; its id is its place, from 1.
#[derive(Debug)]
struct Stored {
    text: String,
    subjects: Vec<String>,
}

impl MemoryRegistry {
    fn schemas(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of the schema with this id.
fn index(id: u32) -> Option<usize> {
    (id as usize).checked_sub(1)
}

impl Registry for MemoryRegistry {
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        let mut schemas = self.schemas();
        let index = schemas.iter().position(|stored| stored.text == schema).unwrap_or(schemas.len());
        if index == schemas.len() {
            schemas.push(Stored { text: schema.to_owned(), subjects: Vec::new() });
        }
        let subjects = &mut schemas[index].subjects;
        if !subjects.iter().any(|known| known == subject) {
            subjects.push(subject.to_owned());
        }
        Ok(index as u32 + 1)
    }

    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        let is_it =
            |stored: &Stored| stored.text == schema && stored.subjects.iter().any(|known| known == subject);
        Ok(self.schemas().iter().position(is_it).map(|index| index as u32 + 1))
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        Ok(index(id).and_then(|index| Some(self.schemas().get(index)?.text.clone())))
    }

    fn subjects(&self, id: u32) -> Result<Option<Vec<String>>, RegistryFault> {
        let subjects = index(id).and_then(|index| Some(self.schemas().get(index)?.subjects.clone()));
        Ok(Some(subjects.unwrap_or_default()))
    }

    fn latest(&self, subject: &str) -> Result<Option<Latest>, RegistryFault> {
        let schemas = self.schemas();
        let versions = schemas
            .iter()
            .enumerate()
            .filter(|(_, stored)| stored.subjects.iter().any(|known| known == subject));
        Ok(versions.enumerate().last().map(|(number, (index, stored))| Latest {
            version: number as u32 + 1,
            id: index as u32 + 1,
            schema: stored.text.clone(),
        }))
    }

    fn is_compatible(&self, _subject: &str, _schema: &str) -> Result<bool, RegistryFault> {
        Ok(true)
    }

    fn set_compatibility(&self, _subject: &str, _level: &str) -> Result<(), RegistryFault> {
        Ok(())
    }
}
