//! An aggregate at a version: as its events left it, or as the state topic has it.

use millrace_kernel::avro::{Datum as _, Input};
use millrace_kernel::{AggregateId, StateData};
use serde_json::json;

use crate::difference::ColumnDifference;
use crate::fault::AuditFault;
use crate::shelf::spoilt;
use crate::shown;

/// An aggregate at a version.
pub(super) struct Image<S> {
    pub version: i64,
    pub recorded_at: i64,
    pub state: Option<S>,
    /// Where the record stands that says so: its newest event, or its state.
    pub offset: i64,
}

impl<S: StateData> Image<S> {
    /// In which fields it differs from the folded events.
    pub fn compare(&self, folded: &Self) -> Vec<ColumnDifference> {
        let mut columns = Vec::new();
        let mut differs = |column: &str, expected, found| {
            columns.push(ColumnDifference { column: column.to_owned(), expected, found });
        };
        if self.version != folded.version {
            differs("version", json!(folded.version), json!(self.version));
        }
        if self.recorded_at != folded.recorded_at {
            differs("recorded_at", json!(folded.recorded_at), json!(self.recorded_at));
        }
        if self.state != folded.state {
            differs("state", shown::state(folded.state.as_ref()), shown::state(self.state.as_ref()));
        }
        columns
    }

    /// As a book keeps it, under its id.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.offset.to_le_bytes().to_vec();
        let nobody = AggregateId::new("", &[""]);
        S::write_record(&nobody, self.version, self.recorded_at, 0, self.state.as_ref(), &mut bytes);
        bytes
    }

    /// What a book has kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AuditFault> {
        let (offset, record) =
            bytes.split_first_chunk().ok_or_else(|| spoilt("an aggregate", "it is cut off"))?;
        let record = S::Record::read(&mut Input::new(record));
        let record = record.map_err(|why| spoilt("an aggregate", why.to_string()))?;
        let (_, version, recorded_at, state) = S::from_record(record);
        Ok(Self { version, recorded_at, state, offset: i64::from_le_bytes(*offset) })
    }
}

/// The id under which a book keeps something.
pub(super) fn text(key: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(key)
}
