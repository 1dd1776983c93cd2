//! Views as they change: who subscribes gets the rows, and from then on what becomes of them.
//!
//! | to find out | open |
//! |---|---|
//! | the one reader of a domain's changes, and who hears what | `hub.rs`, `follow.rs` |
//! | what stands in the log between where a stream was cut and what the reader still has in memory | `history.rs` |
//! | where the events and the changes end, asked once for all who wait | `ends.rs` |
//! | one stream from its first row on | `stream.rs`, then `passing.rs`; what is sent: `event.rs` |
//! | how it speaks: tokens, signs of life, ends | `voice.rs` |
//! | what it looks at, and when rows are settled | `viewed.rs` |
//! | which rows of a view it shows, and to whom | `shown.rs` |
//! | a stream of what a domain has of its own, such as a feed | `own.rs` |
//!
//! What is asked for in which order, and when a copy is exact, is `millrace_runtime::changes`.

mod ends;
mod event;
mod follow;
mod history;
mod hub;
mod own;
mod passing;
mod shown;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod viewed;
mod voice;

pub(crate) use ends::Ends;
pub(crate) use event::{Ended, Event};
pub(crate) use history::READERS;
pub(crate) use hub::Hub;
pub(crate) use own::{OwnRequest, run as run_own};
pub(crate) use stream::{Request, run};
pub(crate) use viewed::Viewed;
pub(crate) use voice::{Expiry, Out, Spoken, expired, left};
