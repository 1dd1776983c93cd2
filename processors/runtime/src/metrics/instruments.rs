//! The port through which distributions and traces leave the runtime.

use std::sync::Arc;

/// The header by which a trace travels (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// Something of which not only the sum is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Distribution {
    /// Commands and steps in a committed transaction.
    BatchRecords,
    /// Seconds in which a batch was decided and encoded.
    DecideSeconds,
    /// Seconds from the begin of a transaction until all its records were acknowledged.
    WriteSeconds,
    /// Seconds of the commit itself, or of all from hand-over to commit where the log does not
    /// tell the two apart.
    CommitSeconds,
    /// Seconds from the arrival of a batch's oldest command to its commit.
    CommandSeconds,
    /// Seconds in which the rows of a batch of events were written.
    RowsSeconds,
    /// Seconds from a request of HTTP until its answer.
    RequestSeconds,
}

/// Records a value. Cheap enough for every batch, not for every command.
pub type Recorder = Arc<dyn Fn(f64) + Send + Sync>;

/// A piece of work within a trace, until it is ended.
pub trait Span: Send {
    /// What follows from the work carries this on: the value of its header `traceparent`.
    fn traceparent(&self) -> &str;

    /// The work is done.
    fn end(self: Box<Self>);
}

/// Where values and traces go.
pub trait Instruments: Send + Sync {
    /// What records `of` for a role.
    fn recorder(&self, of: Distribution, role: &str) -> Recorder;

    /// Begins a span below the one that `traceparent` names; `None` when it is not one, when its
    /// producer has not asked for it to be recorded, or when nobody takes traces.
    /// `attributes` are names and values.
    fn begin(
        &self,
        name: &str,
        traceparent: &[u8],
        attributes: &[(&'static str, String)],
    ) -> Option<Box<dyn Span>>;

    /// The same for a request that is served: the caller waits for its end.
    fn serve(
        &self,
        name: &str,
        traceparent: &[u8],
        attributes: &[(&'static str, String)],
    ) -> Option<Box<dyn Span>> {
        self.begin(name, traceparent, attributes)
    }

    /// Records a span that ended elsewhere, in a page. Whether anybody takes it.
    fn page(&self, _span: &PageSpan) -> bool {
        false
    }
}

/// A span that a page tells of, as it cannot send it away itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSpan {
    /// What it is called.
    pub name: String,
    /// It, as its children name it: the value of a header `traceparent` whose sampled flag is set.
    pub traceparent: String,
    /// The span below which it is, in the same trace; none where the trace begins with it. As a value of that header.
    pub parent: Option<String>,
    /// When it began, microseconds since the epoch by the page's clock.
    pub began_at: i64,
    /// For how long it went on, in microseconds.
    pub micros: i64,
}
