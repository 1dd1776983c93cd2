//! What a stream says.

use serde_json::{Value as Json, json};

use crate::http::problem::Problem;

/// One thing that a stream says.
#[derive(Debug)]
pub(crate) enum Event {
    /// Rows to begin with; more of them follow.
    Snapshot {
        /// In the order of the view.
        rows: Vec<Json>,
        /// Whether these are not the last.
        more: bool,
    },
    /// From now on the reader's copy is that of one moment at each token.
    Live,
    /// What a row has come to.
    Change {
        /// Its key.
        key: Json,
        /// The whole row, or null.
        row: Json,
        /// What the client's part of the trace stands below, where one is recorded.
        trace: Option<String>,
    },
    /// It cannot go on where it was: a new snapshot follows.
    Reset {
        /// Why, in words.
        reason: &'static str,
    },
    /// Nothing but a token, and that somebody is there.
    Beat,
    /// It ends.
    End(Ended),
}

/// Why a stream ends before its client ends it.
#[derive(Debug)]
pub(crate) enum Ended {
    /// This gateway ends; another goes on from the token.
    Leaving,
    /// The client does not take what is sent; it can go on from the token.
    Slow,
    /// Who asks is not known any more: the credentials have expired.
    Expired,
    /// What is in the way of going on.
    Trouble(Box<Problem>),
}

impl Event {
    /// Its name.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Snapshot { .. } => Some("snapshot"),
            Self::Live => Some("live"),
            Self::Change { .. } => Some("change"),
            Self::Reset { .. } => Some("reset"),
            Self::Beat | Self::End(Ended::Leaving | Ended::Slow) => None,
            Self::End(_) => Some("error"),
        }
    }

    /// What it says.
    pub(crate) fn data(&self) -> Json {
        match self {
            Self::Snapshot { rows, more } => json!({"rows": rows, "more": more}),
            Self::Change { key, row, trace: None } => json!({"key": key, "row": row}),
            Self::Change { key, row, trace: Some(trace) } => {
                json!({"key": key, "row": row, "traceparent": trace})
            }
            Self::Reset { reason } => json!({"reason": reason}),
            Self::Live | Self::Beat | Self::End(Ended::Leaving | Ended::Slow) => json!({}),
            Self::End(Ended::Expired) => json!({
                "type": "urn:millrace:problem:unauthenticated",
                "title": "It must be known who asks",
                "status": 401,
                "detail": "The credentials have expired. Go on from the last token with new ones.",
            }),
            Self::End(Ended::Trouble(problem)) => problem.json(),
        }
    }
}
