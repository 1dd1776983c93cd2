//! What projections know: values by key; of a board, every card by its id, and the boards that are being cleared.

use std::sync::Arc;

use millrace_kernel::{Known, Sorted};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What rows say of a project.
#[derive(Clone, Serialize, Deserialize)]
pub struct Project {
    pub name: Arc<str>,
    pub prefix: Arc<str>,
    pub description: Arc<str>,
    pub user_id: Arc<str>,
    pub team_id: Arc<str>,
    pub active: bool,
    pub public: bool,
    pub column_order: Vec<String>,
    pub created_at: i64,
}

/// What rows say of a card.
#[derive(Clone, Serialize, Deserialize)]
pub struct Card {
    pub number: i64,
    pub title: Arc<str>,
    pub column: Arc<str>,
    pub rank: Arc<str>,
    pub created_at: i64,
}

/// A project that was deleted, of whose board some rows have yet to be.
#[derive(Serialize, Deserialize)]
pub struct Clearing {
    pub project_id: Arc<str>,
    /// `recorded_at` of the event.
    pub at: i64,
}

impl Project {
    pub fn of(known: &mut dyn Known, project_id: &str) -> Option<Self> {
        read(known, &Self::key(project_id))
    }

    pub fn keep(&self, known: &mut dyn Known, project_id: &str) {
        keep(known, &Self::key(project_id), self);
    }

    pub fn forget(known: &mut dyn Known, project_id: &str) {
        known.remove(&Self::key(project_id));
    }

    fn key(project_id: &str) -> Vec<u8> {
        [b"p", project_id.as_bytes()].concat()
    }
}

/// The cards of a board.
pub struct Cards(Sorted);

impl Cards {
    /// No id holds a `/`, so no list's name begins another's.
    pub fn of(project_id: &str) -> Self {
        Self(Sorted::named([b"c", project_id.as_bytes(), b"/"].concat()))
    }

    pub fn get(&self, known: &mut dyn Known, task_id: &str) -> Option<Card> {
        let bytes = self.0.get(known, task_id.as_bytes())?;
        decoded(known, task_id.as_bytes(), &bytes)
    }

    pub fn put(&self, known: &mut dyn Known, task_id: &str, card: &Card) {
        match serde_json::to_vec(card) {
            Ok(bytes) => self.0.put(known, task_id.as_bytes(), &bytes),
            Err(error) => known.distrust(task_id.as_bytes(), error.to_string()),
        }
    }

    pub fn remove(&self, known: &mut dyn Known, task_id: &str) -> Option<Card> {
        let bytes = self.0.remove(known, task_id.as_bytes())?;
        decoded(known, task_id.as_bytes(), &bytes)
    }

    /// The id of any card.
    pub fn first(&self, known: &mut dyn Known) -> Option<String> {
        let (task_id, _) = self.0.at(known, 0)?;
        Some(String::from_utf8_lossy(&task_id).into_owned())
    }
}

impl Clearing {
    /// Begins one, and gives it a number.
    pub fn begin(known: &mut dyn Known, project_id: &str, at: i64) -> u64 {
        let newest = known.get(b"n").and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let number = newest.wrapping_add(1);
        known.put(b"n", number.to_be_bytes().to_vec());
        keep(known, &Self::key(number), &Self { project_id: project_id.into(), at });
        number
    }

    pub fn of(known: &mut dyn Known, number: u64) -> Option<Self> {
        read(known, &Self::key(number))
    }

    pub fn end(known: &mut dyn Known, number: u64) {
        known.remove(&Self::key(number));
    }

    fn key(number: u64) -> Vec<u8> {
        [&b"w"[..], &number.to_be_bytes()].concat()
    }
}

/// What was kept under `key`.
pub fn read<T: DeserializeOwned>(known: &mut dyn Known, key: &[u8]) -> Option<T> {
    let bytes = known.get(key)?.to_vec();
    decoded(known, key, &bytes)
}

/// Keeps `value` under `key`.
pub fn keep<T: Serialize>(known: &mut dyn Known, key: &[u8], value: &T) {
    match serde_json::to_vec(value) {
        Ok(bytes) => known.put(key, bytes),
        Err(error) => known.distrust(key, error.to_string()),
    }
}

fn decoded<T: DeserializeOwned>(known: &mut dyn Known, key: &[u8], bytes: &[u8]) -> Option<T> {
    match serde_json::from_slice(bytes) {
        Ok(found) => Some(found),
        Err(error) => {
            known.distrust(key, error.to_string());
            None
        }
    }
}
