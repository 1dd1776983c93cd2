//! The log's side of a domain: one reader of its outcomes, whoever waits for one, and commands on their way.

mod channel;
mod follow;
mod search;
mod submit;
#[cfg(test)]
mod tests;
mod waiting;

pub(crate) use channel::{Away, Channel};
pub(crate) use search::Searched;
pub(crate) use submit::{Asked, Submitted};
