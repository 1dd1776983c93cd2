//! The log's side of a domain: one reader of its outcomes, whoever waits for one, and commands on their way.

mod channel;
mod follow;
mod search;
mod submit;
#[cfg(test)]
mod tests;
mod waiting;

#[cfg(test)]
pub(crate) use channel::Away;
pub(crate) use channel::Channel;
pub(crate) use search::Searched;
pub(crate) use submit::{Asked, Submitted};
