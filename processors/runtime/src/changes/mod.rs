//! Changes of rows, for those who have subscribed to a view: how projectors write them, and how a subscriber reads them.
//!
//! The shape is that of DBLog: a position of the log of changes, then the rows, then positions that cover whatever those rows may
//! have shown; once the changes up to there have passed, a reader's copy is exact. decision 29 has the whole.
//!
//! | to find out | open |
//! |---|---|
//! | which writes are changes, and when they are written | `writing.rs` |
//! | what a subscriber asks for, in which order, and when its copy is exact | `subscription.rs` |
//! | which changes are repeats | `seen.rs` |
//! | where a subscriber goes on | `resume.rs` |

mod resume;
mod seen;
mod subscription;
mod writing;

pub use resume::{BadPositions, Positions};
pub use seen::Seen;
pub use subscription::{Answer, Ask, Subscription, Taken};
pub use writing::{ChangeLog, Noted, told_since};
