//! What operators are not shown who may read no topic: `"withheld"` in a schema.
//!
//! Topics and states hold it, as decisions need it. What is told of them over HTTP does not: see the gateway's `/v1/ops`.

/// A field of a message or a state that is shown to nobody over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithheldRule {
    /// The message or the kind of state.
    pub record: &'static str,
    /// The field; with dots between the names of a record in a record, whether in a list or not.
    pub field: &'static str,
}

impl WithheldRule {
    /// The name of the field alone.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.field.rsplit_once('.').map_or(self.field, |(_, name)| name)
    }
}
