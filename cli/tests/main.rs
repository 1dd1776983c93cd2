//! The tests of the command line, one binary: each of its own would be linked with everything below.

mod api_documents;
mod architecture;
mod common;
mod config;
mod dead;
mod demo;
mod documents;
mod first_second;
mod foreign_text;
mod guarantees;
mod health;
mod http_api;
mod load;
mod metrics;
mod new_domain;
mod operating;
mod readme;
mod send;
mod tidy;
mod usage;
