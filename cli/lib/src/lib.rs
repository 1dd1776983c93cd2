//! The one place where domains and adapters meet: the binary, for domains of the reader's choice.
//!
//! Those who bring their own domains write a `main` of a few lines:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use millrace::App;
//! use millrace_domain_chirp::Chirp;
//!
//! fn main() -> ExitCode {
//!     App::new().domain::<Chirp>().run()
//! }
//! ```
//!
//! | to do | open |
//! |---|---|
//! | a flag or a subcommand | `args/`, `app.rs` |
//! | a domain's own subcommand | `tool.rs`; `../../src/feed.rs` is one |
//! | a setting, its layers and its manual | `config/` |
//! | how commands are read and checked | `message/`, `domain.rs` |
//! | whether domains publish what others look up | `published.rs` |
//! | how servers are reached, and what is said when they are not | `connect/` |
//! | what a role does when it starts and stops, and shows meanwhile | `roles.rs`, `health.rs`, `telemetry.rs` |
//! | the gateway as a role: its servers, its address, who may use it, how it ends | `gateway/` |
//! | one file for each tool | `topics.rs`, `schemas.rs`, `tables.rs`, `send.rs`, `load/`, `query.rs`, `watch.rs`, `status.rs`, `token.rs` |
//! | secrets: for which key they are sealed, what opens them, keys of pseudonyms, files of keys | `seal/`, `pseudonyms.rs`, `key_files.rs` |
//! | how text of others is printed | `foreign.rs`, `output.rs` |
//! | what could not be decided, listed and put back | `dead/` |
//! | what checks and explains: `verify`, `history`, `explain` | `examine/` |
//! | the picture of the system: what is declared, what is seen, how it is drawn | `architecture/` |
//! | everything in one process, and the demo | `up/`, `demo/` |

mod app;
pub mod architecture;
mod args;
pub mod config;
mod connect;
mod dead;
mod demo;
pub mod domain;
mod endpoints;
pub mod error;
mod examine;
mod foreign;
mod gateway;
pub mod health;
mod key_files;
mod load;
mod logging;
pub mod message;
mod new_domain;
mod outcomes;
pub mod output;
mod pseudonyms;
mod published;
mod query;
mod rebuild;
mod roles;
mod schemas;
mod seal;
mod send;
mod status;
mod tables;
mod telemetry;
mod token;
mod tool;
mod topics;
mod trace;
mod up;
mod views;
mod watch;

use millrace_gateway::nearest;

pub use app::{App, run};
pub use connect::Servers;
pub use domain::{DomainEntry, domain};
pub use gateway::HttpClient;
pub use millrace_gateway::pages::PageFile;
pub use millrace_gateway::ports::{
    Effect, LiveItem, LiveResource, Resource, ResourceDescription, ResourceFault, ResourcePage, Source,
};
pub use tool::Tool;
