//! Commands and queries over HTTP, as exact as the log behind them.
//!
//! The gateway knows ports, kernel values, codecs, and schemas as data: no broker, no database and no domain by name. It
//! keeps nothing that another replica needs; whoever asks again may ask another one. What sends a command, waits for its
//! outcome or reads a view is no HTTP yet, so that the command line and, later, sockets share it.
//!
//! | to find out | open |
//! |---|---|
//! | how JSON is checked against the schemas, and where an error points | `message/` |
//! | what the gateway must be given: domains, a sender, tables | `ports.rs` |
//! | who is let in, and how often: names, pages, rates, time | `front/` |
//! | who asks: tokens, the keys of issuers | `auth/` |
//! | who comes for the first time, and what nobody says of themselves | `sign_in/` |
//! | the log's side of a domain: its one reader of outcomes, and who waits for one | `log/` |
//! | a command sent and waited for; an outcome looked for afterwards | `log/{submit,search}.rs` |
//! | reading a view: keys, pages, cursors, rows as JSON | `view/` |
//! | views as they change: who hears what, streams, where they go on | `live/` |
//! | what stands in headers and addresses: ids from keys, positions, tokens, preferences | `token/` |
//! | secrets of commands: how they are sealed, keys and their files | `seal/` |
//! | static pages: their addresses, types, tags, and what may run in them | `pages.rs` |
//! | what the documents for programs say, and how schemas become schemas | `documents/` |
//! | what is answered over HTTP, route by route; every problem there is | `http/` |

pub mod auth;
pub mod documents;
pub mod front;
mod gateway;
mod http;
mod live;
mod log;
pub mod message;
pub mod nearest;
pub mod pages;
pub mod ports;
pub mod seal;
mod sign_in;
mod token;
pub mod view;

pub use gateway::{Gateway, Parts};
pub use http::problem;
pub use token::ResumeKey;
