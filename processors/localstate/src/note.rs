//! What a write says beside its records: which answers belong to it, and the checkpoint.

use bytes::Bytes;

use crate::frame::MOST_NUMBER;

/// The note of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The frames of answers that belong to it: from this one …
    pub(crate) answers_from: u64,
    /// … to this one, if that is not before it.
    pub(crate) answers_to: u64,
    /// `None` before the first write.
    pub(crate) checkpoint: Option<Bytes>,
}

impl Default for Note {
    fn default() -> Self {
        Self { answers_from: 1, answers_to: 0, checkpoint: None }
    }
}

impl Note {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.answers_from.to_le_bytes().to_vec();
        bytes.extend(self.answers_to.to_le_bytes());
        bytes.push(u8::from(self.checkpoint.is_some()));
        bytes.extend(self.checkpoint.as_deref().unwrap_or_default());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reading = Reading(bytes);
        let (answers_from, answers_to) = (reading.number()?, reading.number()?);
        if answers_to >= MOST_NUMBER || !(1..=answers_to + 1).contains(&answers_from) {
            return None;
        }
        // whatever was written says how far it goes
        let checkpoint = reading.0.strip_prefix(&[1])?;
        Some(Self { answers_from, answers_to, checkpoint: Some(Bytes::copy_from_slice(checkpoint)) })
    }
}

/// Numbers and texts, one after the other.
pub(crate) struct Reading<'a>(pub(crate) &'a [u8]);

impl<'a> Reading<'a> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}
