//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod asked;
mod bad_batches;
mod clock;
mod common;
mod copies;
mod dead_claims;
mod dead_letters;
mod dead_list;
mod decisions;
mod earlier;
mod engine;
mod feed;
mod feeds;
mod foreign_steps;
mod lanes;
mod late_schemas;
mod local_state;
mod moved;
mod projector;
mod registration;
mod repeats;
mod reserved;
mod schemas;
mod slow_link;
mod strangers;
mod too_large;
